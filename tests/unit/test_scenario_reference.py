"""The reference page: generated, whole, and with links that lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.scenario.reference import reference_text
from lab.scenario.schema import json_schema

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"


def test_the_committed_page_has_not_drifted() -> None:
    """If this fails: `make schema`, or `python -m lab schema --reference > docs/reference.md`."""
    assert PAGE.read_text(encoding="utf-8") == reference_text(), (
        "run: make schema, or python -m lab schema --reference > docs/reference.md"
    )


def test_every_definition_of_the_language_stands_on_it_once() -> None:
    """Whatever the models hold, nested models included."""
    anchors = re.findall(r'<a id="(\w+)"></a>', reference_text())
    assert sorted(anchors) == sorted(name.lower() for name in json_schema()["$defs"])


def test_every_link_leads_to_a_definition() -> None:
    """Within the page; `the-file` is a heading of its own."""
    text = reference_text()
    targets = set(re.findall(r"\]\(#([\w-]+)\)", text))
    assert targets - {"the-file"} <= set(re.findall(r'<a id="(\w+)"></a>', text))


@pytest.mark.parametrize(
    "line",
    [
        "| `queue_timeout` | time above 0 (`250ms`) | `1s` | Longest wait in the queue; then 503. |",
        "| `rate` | rate (`200/s`) | - | Mean arrivals per time. |",
        "| `says` | text | - | What the source says. |",
        "| `seed` | whole number from 0 to 10,000,000 | `1` | Where all chance comes from. |",
        "### `client.retry.backoff` with kind `exponential`",
    ],
)
def test_a_key_stands_there_with_unit_default_and_meaning(line: str) -> None:
    """As a reader wants it."""
    assert line in reference_text().splitlines()
