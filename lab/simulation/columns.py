"""From live rows to columns: what a replication observed, taken down in batches while it goes on.

Rows that are final become columns of numbers after some thousand of them, so a long run holds few objects: it takes a
quarter of the memory, and the garbage collector has nothing to look through.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, Protocol

import numpy as np
import pandas as pd

from lab.runs.aggregator import Aggregator, Edges, usual_bin_s
from lab.runs.tables import OUTCOMES
from lab.simulation.log import Log, Visit
from lab.simulation.request import Outcome

Array = np.ndarray[Any, Any]
Columns = dict[str, Any]
"""Column name to one value a row: an array, or a pandas array for labels and flags."""

_EVERY = 10_000  # visits
_VISIT = {
    "request": np.int64,
    "attempt": np.int32,
    "component": np.int32,
    "replica": np.int32,
    "operation": np.int32,
    "arrival_s": np.float64,
    "admitted_s": np.float64,
    "departure_s": np.float64,
    "waiting_time_s": np.float64,
    "service_time_s": np.float64,
    "outcome": np.int8,
    "hit": np.int8,
    "stale": np.int8,
    "background": np.bool_,
}
_ASKED = {
    "number": np.int64,
    "endpoint": np.int32,
    "key": np.int64,
    "intended_start_s": np.float64,
    "start_s": np.float64,
    "end_s": np.float64,
    "outcome": np.int8,
    "attempts": np.int32,
}
_FLAG = {None: -1, False: 0, True: 1}
_OUTCOME = {Outcome(word): code for code, word in enumerate(OUTCOMES)}


class Asked(Protocol):
    """A client's request while it happens: a row of the requests table."""

    number: int
    endpoint: str
    key: int
    intended_start_s: float
    start_s: float
    end_s: float
    outcome: Outcome
    attempts: int


class Names(dict[str, int]):
    """Names to numbers, in the order in which they were first met."""

    def __missing__(self, name: str) -> int:
        self[name] = number = len(self)
        return number

    def labels(self, numbers: Array) -> pd.Categorical:
        """Return numbers as names again."""
        return pd.Categorical.from_codes(numbers, categories=pd.Index(list(self), dtype="str"))


class Rows:
    """Batches of rows of one kind, as arrays."""

    def __init__(self, kinds: Mapping[str, Any], codes: Mapping[str, Mapping[Any, int]]) -> None:
        self._kinds = kinds
        self._codes = codes
        self._get = attrgetter(*kinds)
        self._batches: list[dict[str, Array]] = []

    def arrays(self, rows: list[Any]) -> dict[str, Array]:
        """Return rows as arrays; texts as the numbers of their codes."""
        columns = zip(*map(self._get, rows), strict=True) if rows else [()] * len(self._kinds)
        batch = {}
        for (name, kind), column in zip(self._kinds.items(), columns, strict=True):
            codes = self._codes.get(name)
            values = column if codes is None else map(codes.__getitem__, column)
            batch[name] = np.fromiter(values, dtype=kind, count=len(rows))
        return batch

    def keep(self, batch: dict[str, Array]) -> None:
        """Add a batch to those that are kept."""
        self._batches.append(batch)

    def all(self) -> dict[str, Array]:
        """Return all that was kept, as one batch, and let go of it."""
        batches, self._batches = self._batches or [self.arrays([])], []
        return {name: np.concatenate([each.pop(name) for each in batches]) for name in list(batches[0])}


class Requests:
    """The clients' requests: objects while something may still happen to them, arrays afterwards."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._open: dict[int, Asked] = {}
        self._endpoints = Names()
        self._rows = Rows(_ASKED, {"endpoint": self._endpoints, "outcome": _OUTCOME})
        self._ended: list[tuple[Array, Array, Array]] = []  # numbers ascending, intended starts, ends

    def take(self, *, last: bool = False) -> None:
        """Take down those that have ended since the last time; at the end of the run all that are left."""
        self._open.update((asked.number, asked) for asked in self._log.requests)
        self._log.requests.clear()
        ended = [asked for asked in self._open.values() if last or asked.end_s == asked.end_s]  # NaN: not yet
        for asked in ended:
            del self._open[asked.number]
        batch = self._rows.arrays(ended)
        self._rows.keep(batch)
        order = np.argsort(batch["number"], kind="stable")
        self._ended.append((batch["number"][order], batch["intended_start_s"][order], batch["end_s"][order]))

    def look_up(self, numbers: Array) -> tuple[Array, Array]:
        """Return the intended start and the end of each of these requests; no end (NaN) while it is under way."""
        wanted, back = np.unique(numbers, return_inverse=True)
        starts, ends = np.full(len(wanted), np.nan), np.full(len(wanted), np.nan)
        missing = np.ones(len(wanted), dtype=bool)
        for place, number in enumerate(wanted.tolist()):
            asked = self._open.get(number)
            if asked is not None:
                starts[place], missing[place] = asked.intended_start_s, False
        for known, known_starts, known_ends in reversed(self._ended):  # mostly the last batch has them all
            if not missing.any():
                break
            at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
            here = missing & (known[at] == wanted) if len(known) else np.zeros(len(wanted), dtype=bool)
            starts[here], ends[here] = known_starts[at[here]], known_ends[at[here]]
            missing &= ~here
        assert not missing.any(), f"a visit for request {wanted[missing][0]}, which no client sent"
        return starts[back], ends[back]

    def columns(self) -> Columns:
        """Return the columns of the requests table, without the replication."""
        kept = self._rows.all()
        columns: Columns = {"request": kept.pop("number"), **kept}
        columns["endpoint"] = self._endpoints.labels(kept["endpoint"])
        columns["outcome"] = _outcomes(kept["outcome"])
        columns["sojourn_time_s"] = kept["end_s"] - kept["intended_start_s"]
        return columns


class Recorder:
    """Takes a replication's log down in batches, with every visit or with aggregates of them.

    Args:
        log: what is observed; the recorder empties it as it goes.
        gave_up_s: when clients gave up, by request and attempt.
        edges: of the blocks and bins of the aggregates; None to keep every visit.
    """

    def __init__(self, *, log: Log, gave_up_s: Mapping[tuple[int, int], float], edges: Edges | None) -> None:
        self._log = log
        self._gave_up_s = gave_up_s
        self._aggregator = None if edges is None else Aggregator(edges)
        self._components, self._operations = Names(), Names()
        codes: dict[str, Mapping[Any, int]] = {
            "component": self._components,
            "operation": self._operations,
            "outcome": _OUTCOME,
            "hit": _FLAG,
            "stale": _FLAG,
        }
        self._visits = Rows(_VISIT, codes)
        self._requests = Requests(log)
        gauge_every_s = 0.0 if edges is None else usual_bin_s(edges.end_s)
        log.take_down(self._take, every=_EVERY, gauge_every_s=gauge_every_s)

    def _take(self, now_s: float) -> None:
        """Take down the rows that are final, and leave the others in the log."""
        visits = self._log.visits
        ended = [visit for visit in visits if visit.departure_s == visit.departure_s]  # NaN: still there
        there = [visit for visit in visits if visit.departure_s != visit.departure_s]
        visits[:] = there
        self._requests.take()
        if self._aggregator is None:
            self._keep(ended)
        else:
            batches = self._visits.arrays(ended), self._visits.arrays(there)
            self._aggregator.take(*batches, requests=self._requests.look_up, now_s=now_s)

    def finish(self, now_s: float) -> tuple[Columns, Columns, Columns]:
        """Return the columns of the requests, the visits and the aggregates, all without the replication."""
        self._take(now_s)
        self._requests.take(last=True)
        if self._aggregator is None:
            self._keep(self._log.visits)
        else:
            self._aggregator.finish(self._visits.arrays(self._log.visits), self._requests.look_up)
        return self._requests.columns(), self._visit_columns(), self._aggregate_columns()

    def _keep(self, visits: list[Visit]) -> None:
        batch = self._visits.arrays(visits)
        batch["abandoned"] = np.zeros(len(visits), dtype=bool)
        if self._gave_up_s:
            batch["abandoned"] = np.fromiter(map(self._is_abandoned, visits), dtype=bool, count=len(visits))
        self._visits.keep(batch)

    def _is_abandoned(self, visit: Visit) -> bool:
        """Tell whether the client had given up before the visit ended."""
        if visit.background:
            return False  # nobody waited for it in the first place
        given_up_s = self._gave_up_s.get((visit.request, visit.attempt))
        return given_up_s is not None and not visit.departure_s <= given_up_s

    def _visit_columns(self) -> Columns:
        columns: Columns = {"abandoned": np.zeros(0, dtype=bool), **self._visits.all()}
        columns["component"] = self._components.labels(columns["component"])
        columns["operation"] = self._operations.labels(columns["operation"])
        columns["outcome"] = _outcomes(columns["outcome"])
        for flag in ("hit", "stale"):
            columns[flag] = pd.arrays.BooleanArray(columns[flag] > 0, columns[flag] < 0)
        return columns

    def _aggregate_columns(self) -> Columns:
        rows = () if self._aggregator is None else self._aggregator.rows()
        names = ("component", "quantity", "begin_s", "bucket", "value")
        columns: Columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=False))
        if not columns:
            return {name: [] for name in names}
        columns["component"] = self._components.labels(np.array(columns["component"]))
        return columns


def _outcomes(numbers: Array) -> pd.Categorical:
    return pd.Categorical.from_codes(numbers, categories=pd.Index(OUTCOMES, dtype="str"))
