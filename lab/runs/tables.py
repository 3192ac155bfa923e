"""The tables of a Run: names, types, units and rules of their columns, the same in both worlds.

A table is built once, by :meth:`Table.frame`, which refuses what is missing, unknown or impossible and puts
rows and labels into one canonical order. Hence equal content is equal byte for byte, whichever engine wrote
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

import numpy as np
import pandas as pd

from lab.errors import DomainError
from lab.runs.columns import Column, convert
from lab.runs.rules import check_rules

OUTCOMES = ("ok", "timeout", "rejected", "error", "in_flight")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table's columns in order, and the columns whose values order its rows."""

    name: str
    columns: tuple[Column, ...]
    ordered_by: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(column.name for column in self.columns)

    def frame(self, data: pd.DataFrame | Mapping[str, Any]) -> pd.DataFrame:
        """Return the data as a checked frame with declared types, canonical order and a fresh index.

        Args:
            data: one sequence a column; a frame's own index is dropped.

        Raises:
            DomainError: a column is missing, unknown, of another type or length, or holds an impossible
                value.

        >>> EVENTS.frame({"replication": [0], "time_s": [1.5], "component": ["api"], "kind": ["crash"],
        ...               "detail": ["replica 0"]}).loc[0, "kind"]
        'crash'
        """
        data = {str(name): data[str(name)] for name in data}
        rows = len(next(iter(data.values()), ()))
        for column in self.columns:
            if column.absent_is_false:
                data.setdefault(column.name, np.zeros(rows, dtype=bool))
            if column.absent_is_missing:
                data.setdefault(column.name, [None] * rows)
        given = list(data)
        missing = [name for name in self.names if name not in given]
        unknown = [str(name) for name in given if name not in self.names]
        if missing or unknown:
            said = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has unknown {', '.join(unknown)}"] * bool(
                unknown
            )
            raise DomainError(f"{self.name} table: {' and '.join(said)}; its columns are {', '.join(self.names)}")
        # A column is let go as soon as it is converted, and again when it is put in order: long runs fill the memory.
        columns = {c.name: convert(data.pop(c.name), column=c, where=f"{self.name}.{c.name}") for c in self.columns}
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise DomainError(f"{self.name} table: columns differ in length ({lengths}); give one value a row in each")
        self._put_in_order(columns)
        frame = pd.DataFrame(columns, columns=list(self.names), copy=False)
        check_rules(self.name, frame)
        return frame

    def empty(self) -> pd.DataFrame:
        """Return the table without rows."""
        return self.frame({name: [] for name in self.names})

    def stack(self, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
        """Return the rows of several frames of this table (say one a replication) as one checked frame.

        Args:
            frames: made by :meth:`frame`, so their rows are checked already; what they say together is checked where
                their replications overlap.
        """
        frames = [frame for frame in frames if len(frame)]
        if not frames:
            return self.empty()
        if len(frames) == 1:
            return frames[0]
        stacked: dict[str, Any] = {}
        for column in self.columns:
            parts = [frame[column.name] for frame in frames]
            if column.kind == "label":
                stacked[column.name] = pd.api.types.union_categoricals(
                    [pd.Categorical(part) for part in parts], sort_categories=True
                )
            else:
                stacked[column.name] = pd.concat(parts, ignore_index=True)
        replications = [(frame["replication"].iloc[0], frame["replication"].iloc[-1]) for frame in frames]
        if all(before[1] < after[0] for before, after in pairwise(replications)):
            return pd.DataFrame(stacked, columns=list(self.names), copy=False)
        return self.frame(stacked)

    def _put_in_order(self, columns: dict[str, Any]) -> None:
        order = np.lexsort([_sort_key(columns[name]) for name in reversed(self.ordered_by)])
        if not np.array_equal(order, np.arange(len(order))):
            for name in self.names:
                columns[name] = columns[name][order]


def _sort_key(values: Any) -> np.ndarray[Any, Any]:
    return np.asarray(values.codes if isinstance(values, pd.Categorical) else values)


_REPLICATION = Column(
    name="replication", kind="int32", meaning="which draw of the world, or which repeat of the measurement"
)
_COMPONENT = Column(name="component", kind="label", meaning="the component's name in the scenario")
_TIME = Column(name="time_s", kind="float64", unit="s", meaning="time since the schedule's zero")
_REPLICA = Column(name="replica", kind="int32", meaning="index of the replica, 0 where there is one")
_OUTCOME = Column(name="outcome", kind="label", allowed=OUTCOMES, meaning="how it ended")


def _seconds(name: str, meaning: str, *, may_miss: bool = False) -> Column:
    return Column(name=name, kind="float64", unit="s", meaning=meaning, may_miss=may_miss)


REQUESTS = Table(
    name="requests",
    ordered_by=("replication", "request"),
    columns=(
        _REPLICATION,
        Column(name="request", kind="int64", meaning="number of the client's request in the schedule"),
        Column(name="endpoint", kind="label", meaning="what was asked for"),
        Column(name="key", kind="int64", meaning="which item was asked for"),
        _seconds("intended_start_s", "when the schedule wanted it sent"),
        _seconds("start_s", "when it was sent; missing if it never was", may_miss=True),
        _seconds("end_s", "when the client had its answer or gave up; missing in flight", may_miss=True),
        _seconds("sojourn_time_s", "end_s - intended_start_s; missing in flight", may_miss=True),
        _OUTCOME,
        Column(name="attempts", kind="int32", meaning="attempts that were sent"),
    ),
)

VISITS = Table(
    name="visits",
    # The whole key, so that rows have one order whichever engine emitted them.
    ordered_by=(
        "replication",
        "request",
        "attempt",
        "arrival_s",
        "component",
        "replica",
        "operation",
        "departure_s",
        # Branches of one step may come and go together, and differ in what follows.
        "outcome",
        "admitted_s",
        "service_time_s",
    ),
    columns=(
        _REPLICATION,
        Column(name="request", kind="int64", meaning="the client's request that this visit worked for"),
        Column(name="attempt", kind="int32", meaning="its attempt, from 0"),
        _COMPONENT,
        _REPLICA,
        Column(
            name="operation",
            kind="label",
            meaning="endpoint, query, or get and set of a cache; collapsed and refresh of a cdn",
        ),
        _seconds("arrival_s", "when it came to the component"),
        _seconds("admitted_s", "when it left the queue; missing if it never did", may_miss=True),
        _seconds("departure_s", "when it left the component; missing if it is still there", may_miss=True),
        _seconds("waiting_time_s", "admitted_s - arrival_s", may_miss=True),
        _seconds("service_time_s", "own work, callees excluded; missing where it cannot be observed", may_miss=True),
        _OUTCOME,
        Column(
            name="hit",
            kind="flag",
            may_miss=True,
            meaning="whether a cache or cdn had the key, or a parallel step got its full answer; missing elsewhere",
        ),
        Column(
            name="stale",
            kind="flag",
            may_miss=True,
            absent_is_missing=True,
            meaning="whether a database with replicas read what had been overwritten, or a cdn that may served what "
            "was too old; missing elsewhere",
        ),
        Column(
            name="abandoned",
            kind="flag",
            may_miss=True,
            meaning="whether the client had gone before it departed",
        ),
        Column(
            name="background",
            kind="flag",
            absent_is_false=True,
            meaning="whether it was done behind a queue, so that no client waited for it",
        ),
    ),
)

SAMPLES = Table(
    name="samples",
    ordered_by=("replication", "time_s", "component", "replica", "gauge"),
    columns=(
        _REPLICATION,
        _TIME,
        _COMPONENT,
        _REPLICA,
        Column(name="gauge", kind="label", meaning="what was read"),
        Column(name="value", kind="float64", meaning="what it read"),
    ),
)

EVENTS = Table(
    name="events",
    ordered_by=("replication", "time_s"),  # equal times keep the order in which they happened
    columns=(
        _REPLICATION,
        _TIME,
        _COMPONENT,
        Column(name="kind", kind="label", meaning="what happened"),
        Column(name="detail", kind="text", meaning="with which inputs"),
    ),
)

QUANTITIES = (
    *("visits", "admitted", "waiting_time_s", "waiting_time_bucket", "waiting_with_client_s", "waiting_peak"),
    *("served", "service_time_s", "looked_up", "hits", "read", "stale"),
    *("waiting_area_s", "service_area_s", "looked_up_then", "hits_then"),
)

AGGREGATES = Table(
    name="aggregates",
    ordered_by=("replication", "component", "quantity", "begin_s", "bucket"),
    columns=(
        _REPLICATION,
        _COMPONENT,
        Column(name="quantity", kind="label", allowed=QUANTITIES, meaning="what was added up instead of kept"),
        _seconds("begin_s", "where the block of intended starts, or the bin of the clock, begins"),
        Column(name="bucket", kind="int64", meaning="of a histogram of waiting times, else 0"),
        Column(name="value", kind="float64", meaning="the sum, count, area or peak, in SI units"),
    ),
)

TABLES = (REQUESTS, VISITS, SAMPLES, EVENTS, AGGREGATES)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """The tables of one Run; construction checks each and puts it into canonical order.

    A Run has either visits or aggregates of them (see :mod:`lab.runs.aggregator`).

    Raises:
        DomainError: a table's columns or values are not as declared.
    """

    requests: pd.DataFrame
    visits: pd.DataFrame = field(default_factory=VISITS.empty)
    samples: pd.DataFrame = field(default_factory=SAMPLES.empty)
    events: pd.DataFrame = field(default_factory=EVENTS.empty)
    aggregates: pd.DataFrame = field(default_factory=AGGREGATES.empty)

    def __post_init__(self) -> None:
        for table in TABLES:
            object.__setattr__(self, table.name, table.frame(getattr(self, table.name)))
        self._check_visits_or_aggregates()

    @classmethod
    def of_checked(cls, **frames: pd.DataFrame) -> Self:
        """Return the tables of frames that :meth:`Table.frame` or :meth:`Table.stack` made, without checking again."""
        tables = object.__new__(cls)
        for table in TABLES:
            object.__setattr__(tables, table.name, frames.get(table.name, table.empty()))
        tables._check_visits_or_aggregates()
        return tables

    def _check_visits_or_aggregates(self) -> None:
        if len(self.visits) and len(self.aggregates):
            raise DomainError("a Run keeps its visits or aggregates of them, never both; leave one table empty")

    def as_dict(self) -> dict[str, pd.DataFrame]:
        """Return the frames by table name, in the tables' order."""
        return {table.name: getattr(self, table.name) for table in TABLES}
