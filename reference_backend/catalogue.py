"""How tables and the real statements on them are described."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["select", "insert", "update", "select_for_update"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How large the tables are.

    Attributes:
        rows: of what the keys number: items, readers, authors, accounts.
        posts: of the feed.
    """

    rows: int
    posts: int


class Statement(NamedTuple):
    """A statement as it is really run.

    Attributes:
        kind: what it does to the row of its key.
        sql: by the sizes; the request's ``:key``, its ``:demand`` in seconds, its number ``:request``, and ``:use``,
            which of several uses of one step it is, may be in it.
    """

    kind: Kind
    sql: Callable[[Sizes], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Tables that belong together.

    Attributes:
        tables: their names.
        create: the statements that make and fill them.
        reset: what brings them back to that state.
        statements: by name, those whose cost nobody knows beforehand.
    """

    tables: tuple[str, ...]
    create: Callable[[Sizes], tuple[str, ...]]
    reset: tuple[str, ...]
    statements: Mapping[str, Statement]
