"""Variants: a scenario with the values at some dotted paths replaced."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from lab.errors import ScenarioError
from lab.scenario.scenario import Scenario


def vary(scenario: Scenario, changes: Mapping[str, Any], *, what: str = "variant") -> Scenario:
    """Return the scenario with the values at these dotted paths replaced, validated anew.

    Args:
        scenario: what is varied.
        changes: dotted path to new value.
        what: what the result is called where it is not valid.

    Raises:
        ScenarioError: a path leads nowhere, or the variant is not a valid scenario.
    """
    document = scenario.to_document()
    for path, value in changes.items():
        replace_at(document, path, value)
    try:
        return Scenario.model_validate(document)
    except ScenarioError as error:
        message = f"the {what} is not valid:\n{error}"
        raise ScenarioError(message, problems=error.problems, paths=error.paths) from error


def value_at(document: Any, path: str) -> Any:
    """Return what stands at a dotted path of a scenario document.

    Raises:
        ScenarioError: the path leads nowhere; the message says what is there.
    """
    parts = path.split(".")
    for depth, name in enumerate(parts):
        document = _descend(document, name, ".".join(parts[: depth + 1]))
    return document


def leads_somewhere(document: Any, path: str) -> bool:
    """Return whether something stands at a dotted path of a scenario document."""
    try:
        value_at(document, path)
    except ScenarioError:
        return False
    return True


def replace_at(document: Any, path: str, value: Any, *, may_add: bool = False) -> None:
    """Put a value at a dotted path of a scenario document.

    Args:
        document: is changed.
        path: where.
        value: what stands there from then on.
        may_add: the last key may be a new one of its mapping.

    Raises:
        ScenarioError: the path leads nowhere; the message says what is there.
    """
    *parents, last = path.split(".")
    place = document
    for depth, name in enumerate(parents):
        place = _descend(place, name, ".".join(parents[: depth + 1]))
    if not (may_add and isinstance(place, dict)):
        _descend(place, last, path)
    place[int(last) if isinstance(place, list) else last] = copy.deepcopy(value)


def _descend(place: Any, name: str, path: str) -> Any:
    if isinstance(place, list):
        if name.isdecimal() and int(name) < len(place):
            return place[int(name)]
        raise ScenarioError(f"{path}: a list of {len(place)} items has no item {name!r}; write its number, from 0")
    if isinstance(place, dict) and name in place:
        return place[name]
    known = ", ".join(str(key) for key in place) if isinstance(place, dict) else "a plain value, without keys"
    raise ScenarioError(f"{path}: there is no {name!r} here (there are: {known})")
