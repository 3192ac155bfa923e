"""Which words of the scenario language a document uses, found by walking it along the JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.scenario.schema import json_schema

Word = tuple[str, str, str]
"""Definition, key, and one of the values that may stand there; an empty value stands for any."""

SCHEMA = json_schema()
DEFINITIONS: dict[str, Any] = {"Scenario": SCHEMA, **SCHEMA["$defs"]}
_TAGS = ("kind", "metric")


def words() -> set[Word]:
    """Return every key of the language, and every value of those that take one of a few."""
    found = set()
    for name, definition in DEFINITIONS.items():
        for key, node in definition.get("properties", {}).items():
            found.add((name, key, ""))
            found.update((name, key, str(value)) for value in _choices(node))
    return found


def words_of(document: Any) -> Iterator[Word]:
    """Yield the words that a scenario's document uses."""
    yield from _of(document, {"$ref": "#/$defs/Scenario"})


def tags(name: str) -> list[str]:
    """Return the kinds by which a file says that it means this definition; none where it needs no kind."""
    properties = DEFINITIONS[name].get("properties", {})
    return [str(value) for tag in _TAGS if tag in properties for value in _choices(properties[tag])]


def _choices(node: dict[str, Any]) -> list[Any]:
    if "const" in node:
        return [node["const"]]
    return [*node.get("enum", ()), *(value for each in _alternatives(node) for value in _choices(each))]


def _alternatives(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [*node.get("anyOf", ()), *node.get("oneOf", ())]


def _of(value: Any, node: dict[str, Any]) -> Iterator[Word]:
    for each in _alternatives(node):
        yield from _of(value, each)
    if isinstance(value, list):
        for item in value:
            yield from _of(item, node.get("items", {}))
    if not isinstance(value, dict):
        return
    inner = [*node.get("patternProperties", {}).values()]
    for item in value.values() if inner else ():
        yield from _of(item, inner[0])
    if "$ref" not in node:
        return
    name = node["$ref"].removeprefix("#/$defs/")
    definition = DEFINITIONS[name]
    properties = definition.get("properties", {})
    if properties and not _fits(value, properties):
        return
    for key, field in properties.items():
        if key in value:
            yield name, key, ""
            yield from ((name, key, str(choice)) for choice in _choices(field) if choice == value[key])
            yield from _of(value[key], field)
    if not properties:
        yield from _of(value, definition)


def _fits(value: dict[str, Any], properties: dict[str, Any]) -> bool:
    """Tell whether a mapping is one of this definition: no unknown key, and the right kind."""
    wrong_kind = any(tag in properties and value.get(tag) not in _choices(properties[tag]) for tag in _TAGS)
    return value.keys() <= properties.keys() and not wrong_kind
