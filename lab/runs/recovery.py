"""How long it takes until a backend keeps its promise again, and goes on keeping it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab.errors import DomainError, NotEnoughData
from lab.runs.window import Window, by_replication
from lab.units import parse_duration, parse_ratio

if TYPE_CHECKING:
    from lab.runs.run import Run

KEYS = frozenset({"after", "window", "good_ratio", "within"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What counts as recovered.

    Attributes:
        after_s: since when.
        window_s: width of the stretches that are judged one by one.
        good_ratio: the share of a stretch's requests that must be good.
        within_s: a good request is answered ok, and within this time if there is one.
    """

    after_s: float
    window_s: float
    good_ratio: float
    within_s: float | None


def read_recovery(document: Mapping[str, Any], *, where: str) -> Recovery:
    """Return what an objective of a scenario document counts as recovered.

    Raises:
        DomainError: ``after`` is missing.
    """
    if "after" not in document:
        raise DomainError(f"{where}.after: is missing; say since when the recovery is timed, such as 105s")
    within = document.get("within")
    return Recovery(
        after_s=parse_duration(document["after"]),
        window_s=parse_duration(document.get("window", "5s")),
        good_ratio=parse_ratio(document.get("good_ratio", "95%")),
        within_s=None if within is None else parse_duration(within),
    )


def recovery_time_s(requests: pd.DataFrame, recovery: Recovery, *, window: Window, endpoint: str | None) -> float:
    """Return the time from ``after_s`` until the service is good for good, in one replication; NaN if it never is.

    From ``after_s`` on, time is cut into stretches of ``window_s`` (what is left over at the end belongs to the last).
    A stretch is good if enough of the requests that were meant to start in it were; one without requests says nothing,
    and requests in flight at the end of the run count for nothing, unless they have been for longer than ``within_s``:
    those are not good, whatever comes. Recovered is what is good from some stretch on: the time is that of its begin.

    Args:
        requests: the rows of one replication.
        recovery: what counts as good.
        window: the stretch of the run that counts; its end is that of the run.
        endpoint: of which requests; None: of all.
    """
    if endpoint is not None:
        requests = requests[np.asarray(requests["endpoint"] == endpoint)]
    starts, ended = np.asarray(requests["intended_start_s"]), np.asarray(requests["outcome"] != "in_flight")
    known = ended if recovery.within_s is None else ended | (window.end_s - starts > recovery.within_s)
    judged = (starts >= recovery.after_s) & (starts < window.end_s) & known
    if not judged.any():
        return math.nan
    good = np.asarray(requests["outcome"] == "ok")[judged]
    if recovery.within_s is not None:
        good &= np.asarray(requests["sojourn_time_s"])[judged] <= recovery.within_s
    count = max(1, math.floor((window.end_s - recovery.after_s) / recovery.window_s + 1e-9))
    places = np.minimum(((starts[judged] - recovery.after_s) / recovery.window_s + 1e-9).astype(int), count - 1)
    number, fine = np.bincount(places, minlength=count), np.bincount(places, weights=good, minlength=count)
    bad = np.flatnonzero(fine < recovery.good_ratio * number - 1e-9)
    first = int(bad[-1]) + 1 if bad.size else 0
    return first * recovery.window_s if first < count else math.nan


def time_to_recover_s(run: Run) -> list[float]:
    """Return how long it took until clients were served as the scenario's recovery objective promises, one a repeat.

    NaN where it never came to that: some requests were bad to the end.

    Raises:
        NotEnoughData: the scenario has no objective with metric recovery_time, or a repeat no request to judge by.
    """
    promised = [each for each in run.scenario.get("objectives", ()) if each["metric"] == "recovery_time"]
    if not promised:
        raise NotEnoughData("the scenario has no objective with metric recovery_time, which says what recovered means")
    recovery = read_recovery(promised[0], where="objectives")
    endpoint = promised[0].get("endpoint")
    times = []
    for number, own in by_replication(run.requests):
        asked = own if endpoint is None else own[np.asarray(own["endpoint"] == endpoint)]
        if not (np.asarray(asked["intended_start_s"]) >= recovery.after_s).any():
            raise NotEnoughData(
                f"replication {number}: no request was meant to start from {recovery.after_s:g} s on, so nobody knows "
                "whether it recovered; make the run longer"
            )
        times.append(recovery_time_s(own, recovery, window=run.window, endpoint=endpoint))
    return times
