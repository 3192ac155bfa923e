"""Every key, kind and choice of the scenario language occurs in a shipped scenario or in a test."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from lab.scenario.document import read_document
from tests.unit.language import Word, tags, words, words_of

ROOT = Path(__file__).parents[2]
SCENARIOS = sorted(path for path in ROOT.glob("scenarios/*/**/*.yaml") if path.parent.name != "cases")
WALK = """
name: walk
components:
  main: {kind: database, queries: {one: 2ms, two: {kind: exponential, mean: 1s}}}
  api: {kind: service, endpoints: {get: [{kind: parallel, branches: [[{kind: cpu, time: 1ms}]]}]}}
"""
HOW = (
    "each must be written in a scenario under scenarios/ or in a test: put it in one (in a test file, the key as "
    '"key": or key: or key= or .key" in a file that also names the kind it belongs to, the choice in quotes or as '
    "key: choice in a file with its key). What nothing can use does not belong into the language"
)


@cache
def _tests() -> tuple[str, ...]:
    ours = {"test_language_is_used.py", "language.py"}
    return tuple(file.read_text(encoding="utf-8") for file in ROOT.glob("tests/**/*.py") if file.name not in ours)


def _is_key(key: str, text: str) -> bool:
    """Tell whether a key is written: in a dict, in YAML, as an argument, or as the end of a dotted path."""
    return re.search(rf"""["']{key}["']\s*:|\b{key}\s*[:=]|\.{key}["']""", text) is not None


def _is_choice(key: str, choice: str, text: str) -> bool:
    return re.search(rf"""["']{choice}["']|\b{key}:\s*{choice}\b""", text) is not None


def _in_a_test(word: Word) -> bool:
    name, key, choice = word
    kinds = tags(name)
    for text in _tests():
        is_kind = not kinds or f"{name}(" in text or any(_is_choice(r"(?:kind|metric)", kind, text) for kind in kinds)
        if is_kind and _is_key(key, text) and (not choice or _is_choice(key, choice, text)):
            return True
    return False


@pytest.mark.slow
def test_every_word_is_used() -> None:
    """What nobody uses is not proven to work."""
    assert SCENARIOS
    in_scenarios = {word for file in SCENARIOS for word in words_of(read_document(file.read_text("utf-8")).value)}
    assert in_scenarios <= words()
    unused = sorted(word for word in words() - in_scenarios if not _in_a_test(word))
    said = [f"{name}: {key}" + (f": {choice}" if choice else "") for name, key, choice in unused]
    assert not said, f"unused words of the language: {said}; {HOW}"


def test_the_walk_knows_kinds_short_forms_and_nesting() -> None:
    """A tagged union goes by its kind, a text for a mapping has no keys, steps within steps are seen."""
    found = set(words_of(read_document(WALK).value))
    assert {("Database", "queries", ""), ("Exponential", "mean", ""), ("CpuStep", "kind", "cpu")} <= found
    assert not {word for word in found if word[0] in ("Constant", "QueryWithTime", "WaitStep", "Lognormal")}


def test_a_word_of_another_kind_does_not_count() -> None:
    """`cap` belongs to exponential backoffs: a document without one does not use it."""
    assert not {word for word in words_of({"client": {"retry": {"attempts": 2}}}) if word[1] == "cap"}
