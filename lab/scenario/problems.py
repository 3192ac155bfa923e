"""Problems of a scenario: where (a key path), what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import UnionType

from lab.errors import ScenarioError

Path = tuple[str | int, ...]

MOST_SHOWN = 20
_LONGEST_MESSAGE = 500
_LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: keys and list numbers that lead to it; empty for the scenario as a whole.
        message: what is wrong with the value, and what to do.
    """

    path: Path
    message: str

    def __str__(self) -> str:
        message = self.message
        if len(message) > _LONGEST_MESSAGE:
            message = f"{message[: _LONGEST_MESSAGE - 5]} ..."
        return f"{dotted(self.path)}: {message}" if self.path else message


def dotted(path: Path) -> str:
    """Return a key path as text.

    >>> dotted(("components", "api", "endpoints", "read", 0))
    'components.api.endpoints.read.0'
    """
    # Odd keys stand in quotes, so that a message stays one line and a path stays readable.
    return ".".join(part if isinstance(part, str) and part.isidentifier() else shown(part) for part in path)


def shown(value: object) -> str:
    """Return a value as a message shows it: as YAML has it, on one line, cut if it is long.

    >>> shown("a text"), shown(True), shown(None), shown([1, 2])
    ("'a text'", 'true', 'nothing', 'a list')
    """
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case str() if len(value) > _LONGEST_VALUE:
            return ascii_safe(repr(f"{value[:_LONGEST_VALUE]}..."))
        case _:
            return ascii_safe(repr(value)[: 2 * _LONGEST_VALUE])


def ascii_safe(text: str) -> str:
    """Return the text with whatever no terminal can print (lone surrogates) escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def scenario_error(problems: Iterable[Problem]) -> ScenarioError:
    """Return the error that tells of these problems; its message shows the first ``MOST_SHOWN``."""
    every = tuple(problems)
    sentences = tuple(str(problem) for problem in every)
    return ScenarioError(listed(sentences), problems=sentences, paths=tuple(problem.path for problem in every))


def listed_names(parts: Mapping[str, object], *kinds: type | UnionType) -> str:
    """Return the names of the parts of these kinds as a message lists them.

    >>> listed_names({"api": 1, "edge": "text"}, int), listed_names({}, int)
    ('api', 'none')
    """
    return ", ".join(name for name, part in parts.items() if isinstance(part, kinds)) or "none"


def listed(sentences: tuple[str, ...]) -> str:
    """Return sentences one a line, the first ``MOST_SHOWN`` of them, and how many more there are."""
    more = len(sentences) - MOST_SHOWN
    return "\n".join([*sentences[:MOST_SHOWN], *[f"... and {more} more"] * (more > 0)])
