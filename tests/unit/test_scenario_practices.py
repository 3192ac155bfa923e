"""The guides' practices: each names keys that exist and lessons that are there, or says why it is not modelled."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from lab.scenario.practices import PRACTICES, Practice
from lab.scenario.schema import json_schema

_PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"
_GUIDES = (
    "cache what cache expiry pre-warm client-side cdn load-test surge 600 stateless routes indexes n+1 pagination "
    "replicas "
    "sharding pool background auto-scaling limits serverless microservices locations precompute correctness audit "
    "multi-factor availability http/2 grpc gzip partial streaming fallback observability argon2 jwt rbac ownership "
    "validation tls rest versioning error store media event"
)


@cache
def _known() -> set[str]:
    """Every kind and metric, every key of a kind, and every key of a section with a name."""
    schema = json_schema()
    found = {
        f"{name.lower().removesuffix('withtime')}.{key}"
        for name, each in schema["$defs"].items()
        for key in each.get("properties", {})
    }
    for definition in schema["$defs"].values():
        keys = definition.get("properties", {})
        for tag in ("kind", "metric"):
            node = keys.get(tag, {})
            for value in [node["const"]] if "const" in node else node.get("enum", ()):
                found |= {value, *(f"{value}.{key}" for key in keys)}
    return found


@pytest.mark.parametrize("practice", PRACTICES, ids=lambda practice: practice.advice)
def test_a_practice_names_what_models_it_or_says_why_nothing_does(practice: Practice) -> None:
    """No key that the language lacks, no lesson that is not there, no silence."""
    assert set(practice.keys) <= _known()
    assert not practice.lesson or (_PATTERNS / f"{practice.lesson}.yaml").is_file()
    assert practice.keys or practice.note


def test_every_practice_of_the_guides_is_there() -> None:
    """A word of each of them stands in the table."""
    advice = " ".join(practice.advice.lower() for practice in PRACTICES)
    assert [word for word in _GUIDES.split() if word not in advice] == []
