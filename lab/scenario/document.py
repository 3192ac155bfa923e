"""YAML text as plain data, with the line of every key path; refuses what a scenario has no use for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from lab.scenario.problems import Path
from lab.scenario.scalars import Scalar, resolve, trap

MOST_CHARACTERS = 2**20
MOST_NODES = 20_000
MOST_LEVELS = 40

# What YAML 1.2 lets a file contain; everything else (NUL, other control characters, lone surrogates) is a mistake.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class UnreadableError(Exception):
    """The text cannot be read as one YAML document; holds the line and what is wrong. Never leaves the reader."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Plain data and where it stands.

    Attributes:
        value: dicts, lists, texts, numbers, booleans, None.
        lines: key path to line, the first line being 1.
        faults: (key path, line, what is wrong) of scalars and keys that cannot be taken as they are.
    """

    value: Any
    lines: dict[Path, int]
    faults: list[tuple[Path, int, str]] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """Return the line of a key path, or of the nearest place above it that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_document(text: str) -> Document:
    """Return the one document that a YAML text holds.

    Raises:
        UnreadableError: not YAML; or more than one document, an alias, an anchor, a tag; or too large, or too deep.
    """
    if len(text) > MOST_CHARACTERS:
        raise UnreadableError(1, f"{len(text)} characters are more than {MOST_CHARACTERS}; a scenario is a page or two")
    text = text.removeprefix("\ufeff")
    forbidden = _FORBIDDEN.search(text)
    if forbidden:
        line = text.count("\n", 0, forbidden.start()) + 1
        raise UnreadableError(line, f"the character U+{ord(forbidden[0]):04X} cannot stand in YAML; take it out")
    return _Builder(_events(text)).build()


def _events(text: str) -> Iterator[Event]:
    events = YAML(typ="safe", pure=True).parse(text)
    line = 1
    while True:
        try:
            event = next(events, None)
        except MarkedYAMLError as error:
            raise _syntax(error) from error
        except YAMLError as error:
            raise UnreadableError(line, f"this is not YAML: {' '.join(str(error).split())}") from error
        except (ValueError, OverflowError) as error:  # from ruamel's chr() of "\U99999999"
            raise UnreadableError(line, "an escape in a quoted text stands for no character; correct it") from error
        if event is None:
            return
        line = _line(event)
        yield event


def _syntax(error: MarkedYAMLError) -> UnreadableError:
    # What never ends is best looked for where it begins.
    endless = "end of stream" in str(error.problem) or "<stream end>" in str(error.problem)
    mark = (error.context_mark if endless else None) or error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    what = " ".join(str(part) for part in (error.context, error.problem) if part)
    if "\\t" in what:
        return UnreadableError(line, "there is a tab; YAML is indented by spaces alone, so write spaces instead")
    return UnreadableError(line, f"this is not YAML: {what}; look at the indentation, the quotes and the brackets")


class _Builder:
    """Builds plain data from YAML events; recursion is bounded by ``MOST_LEVELS``."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._nodes = 0
        self._document = Document(value=None, lines={})

    def build(self) -> Document:
        self._expect(StreamStartEvent)
        start = next(self._events)
        if isinstance(start, StreamEndEvent):
            raise UnreadableError(
                1, "there is nothing in it; write a scenario (name, workload, entry, components, run)"
            )
        assert isinstance(start, DocumentStartEvent)
        value = self._node(next(self._events), ())
        self._expect(DocumentEndEvent)
        end = next(self._events)
        if not isinstance(end, StreamEndEvent):
            message = "a second document begins here; write one scenario a file, without '---' between"
            raise UnreadableError(_line(end), message)
        return Document(value=value, lines=self._document.lines, faults=self._document.faults)

    def _expect(self, kind: type[Event]) -> None:
        event = next(self._events)
        assert isinstance(event, kind), event  # the order of YAML's events is fixed

    def _node(self, event: Event, path: Path) -> Any:
        self._check(event, path)
        self._document.lines.setdefault(path, _line(event))
        match event:
            case ScalarEvent():
                return self._scalar(event, path)
            case SequenceStartEvent():
                return self._sequence(path)
            case MappingStartEvent():
                return self._mapping(path)
            case _:
                raise UnreadableError(_line(event), f"{type(event).__name__} cannot stand here")

    def _check(self, event: Event, path: Path) -> None:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise UnreadableError(_line(event), f"there are more than {MOST_NODES} values; a scenario needs far fewer")
        if len(path) > MOST_LEVELS:
            raise UnreadableError(_line(event), f"this is nested more than {MOST_LEVELS} levels deep; flatten it")
        anchor = getattr(event, "anchor", None)
        if isinstance(event, AliasEvent):
            raise UnreadableError(_line(event), f"the alias *{anchor} is not supported; write the value out")
        if anchor is not None:
            raise UnreadableError(_line(event), f"the anchor &{anchor} is not supported; write the value out each time")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise UnreadableError(_line(event), f"the tag {tag} is not supported; write the value without it")

    def _scalar(self, event: ScalarEvent, path: Path) -> Scalar:
        text = self._text(event)
        if event.style is not None:
            return text
        wrong = trap(text)
        if wrong:
            self._document.faults.append((path, self._document.lines[path], wrong))
            return text
        return resolve(text)

    def _text(self, event: ScalarEvent) -> str:
        text = str(event.value)
        surrogate = re.search("[\ud800-\udfff]", text)
        if surrogate:
            half = f"\\u{ord(surrogate[0]):04X}"
            raise UnreadableError(_line(event), f"the escape {half} is half a character; write the whole one")
        return text

    def _sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._key(event, path)
            place = (*path, key)
            if key in entries:
                first = self._document.lines[place]
                message = f"is written twice (first on line {first}), and only one can count; take one out"
                self._document.faults.append((place, _line(event), message))
                self._node(next(self._events), (*path, f"{key} (second)"))
                continue
            self._document.lines[place] = _line(event)
            entries[key] = self._node(next(self._events), place)
        return entries

    def _key(self, event: Event, path: Path) -> str:
        self._check(event, path)
        if not isinstance(event, ScalarEvent):
            message = "a list or a mapping stands where a key should; write a name before the colon"
            raise UnreadableError(_line(event), message)
        key = self._text(event)
        wrong = trap(key) if event.style is None else None
        if wrong:
            self._document.faults.append(((*path, key), _line(event), wrong))
        return key


def _line(event: Event) -> int:
    return int(event.start_mark.line) + 1
