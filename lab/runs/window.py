"""Which part of a run counts, and how its rows split into replications."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lab.errors import DomainError
from lab.units import parse_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The half-open stretch [start_s, end_s) of a run's clock."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """Its length in seconds."""
        return self.end_s - self.start_s

    def holds(self, times_s: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return which of the times lie inside; a missing time does not."""
        return (times_s >= self.start_s) & (times_s < self.end_s)


def window_of(scenario: Mapping[str, Any], *, warm_up: bool = True) -> Window:
    """Return the window that a scenario document's ``run`` asks for.

    Args:
        scenario: the document, with ``run: {duration: "60s", warm_up: "5s"}``.
        warm_up: leave the warm-up out (the usual case).

    Raises:
        DomainError: ``run`` lacks a duration or warm-up, or the warm-up eats the whole run.

    >>> window_of({"run": {"duration": "60s", "warm_up": "5s"}}).length_s
    55.0
    """
    run = scenario.get("run")
    if not isinstance(run, Mapping) or "duration" not in run or "warm_up" not in run:
        raise DomainError('scenario.run: needs duration and warm_up, such as {"duration": "60s", "warm_up": "5s"}')
    end_s = parse_duration(run["duration"])
    warm_up_s = parse_duration(run["warm_up"])
    if not 0 <= warm_up_s < end_s:
        raise DomainError(
            f"scenario.run: a warm-up of {run['warm_up']} leaves nothing of a duration of {run['duration']}; "
            "shorten the one or lengthen the other"
        )
    return Window(start_s=warm_up_s if warm_up else 0.0, end_s=end_s)


def by_replication(frame: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    """Yield each replication's number and rows, in order; the frame must be in its table's order."""
    column = np.asarray(frame["replication"])
    for replication, start, stop in _stretches(column):
        yield replication, frame.iloc[start:stop]


def rows_of(frame: pd.DataFrame, replication: int) -> pd.DataFrame:
    """Return one replication's rows (perhaps none) of a frame in its table's order."""
    column = np.asarray(frame["replication"])
    start, stop = np.searchsorted(column, [replication, replication + 1])
    return frame.iloc[int(start) : int(stop)]


def _stretches(column: np.ndarray[Any, Any]) -> Iterator[tuple[int, int, int]]:
    numbers, starts = np.unique(column, return_index=True)
    stops = [*starts.tolist(), len(column)][1:]
    for number, start, stop in zip(numbers.tolist(), starts.tolist(), stops, strict=True):
        yield int(number), int(start), int(stop)


def request_rows(requests: pd.DataFrame, visits: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Return, for each visit of ONE replication, its request's position among that replication's requests.

    Raises:
        DomainError: a visit worked for a request that is not there.
    """
    known = np.asarray(requests["request"])
    wanted = np.asarray(visits["request"])
    rows = np.searchsorted(known, wanted)
    found = rows < len(known)
    found[found] = known[rows[found]] == wanted[found]
    if not found.all():
        stranger = visits.iloc[int(np.argmin(found))]
        raise DomainError(
            f"visits table: replication {stranger['replication']} has a visit to {stranger['component']} for "
            f"request {stranger['request']}, "
            "which the requests table lacks; a visit belongs to a request of the same replication"
        )
    return rows
