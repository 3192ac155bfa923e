"""Where requests wait: the part that takes the largest share of the clients' time by making them queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lab.errors import NotEnoughData
from lab.runs.aggregates import Aggregates
from lab.runs.areas import peak, waiting_intervals, waits_with_client_s
from lab.runs.window import Window, by_replication, request_rows, rows_of

# Below this share of the sojourn time, waiting is not worth naming a culprit for.
HEALTHY_SHARE = 0.05

_FOR_WHAT = {
    "service": "for a free slot",
    "database": "for a pooled connection",
    "queue": "for a consumer",
    "host": "for a core",
    "nginx": "for servers that fail before one answers",
    "cdn": "for what others are fetching already",
    "event_loop": "for the event loop",
    "schedulers": "for a turn on a core",
    "gil": "for the Python interpreter (its GIL)",
    "platform": "for a cold start",
    "activator": "for a pod",
    "thread_pool": "for a thread",
    "tls": "for a core that does TLS handshakes",
    "accept": "for the entry to accept a connection",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bottleneck:
    """The component at which requests wait most.

    Attributes:
        component: its name; None if no request waited anywhere.
        waiting_share: time that clients spent waiting there / their whole sojourn time, mean over
            replications.
        waiting_time_s_mean: mean wait of the visits that were admitted there; NaN if none was.
        number_waiting_peak: most that waited there at one time, mean over replications.
        is_healthy: no component takes more than 5 % of the sojourn time.
        sentence: all this in words, with the numbers.
    """

    component: str | None
    waiting_share: float
    waiting_time_s_mean: float
    number_waiting_peak: float
    is_healthy: bool
    sentence: str


def find_bottleneck(
    *, scenario: Mapping[str, Any], requests: pd.DataFrame, visits: pd.DataFrame | Aggregates, window: Window
) -> Bottleneck:
    """Return where the requests of the window waited most.

    Only waits while the client was still there count, so abandoned work does not inflate the share; within
    one request, waits of parallel branches add up to at most its sojourn time.

    Raises:
        NotEnoughData: no request of the window finished, or the run has no visits.
    """
    if isinstance(visits, Aggregates):
        components = visits.components
    else:
        components = [str(name) for name in visits["component"].cat.categories]
    if not components:
        raise NotEnoughData("the run has no visits, so where requests waited is not known")
    shares = [_shares(number, own, visits, window) for number, own in by_replication(requests)]
    means = np.mean(shares, axis=0)
    worst = int(np.argmax(means))
    if means[worst] == 0:
        return _nobody_waits()
    name = components[worst]
    there = [_waits_at(name, number, own, visits, window) for number, own in by_replication(requests)]
    waits = [wait_s for wait_s, _ in there if not np.isnan(wait_s)]
    return _named(
        name,
        kind_words=_for_what(scenario, name),
        share=float(means[worst]),
        waiting_time_s=float(np.mean(waits)) if waits else float("nan"),
        peak_number=float(np.mean([highest for _, highest in there])),
    )


def _shares(number: int, requests: pd.DataFrame, visits: pd.DataFrame | Aggregates, window: Window) -> list[float]:
    """The share of one replication's sojourn time that each component takes by waiting."""
    finished = window.holds(np.asarray(requests["intended_start_s"])) & np.asarray(requests["end_s"].notna())
    sojourn = np.where(finished, np.asarray(requests["sojourn_time_s"]), 0.0)
    if not finished.any():
        raise NotEnoughData(
            "a replication has no finished request in its window, so its waits cannot be set against a sojourn time"
        )
    if isinstance(visits, Aggregates):
        waited_s = visits.waited_s(number, window)
    else:
        waited_s = _waited_s(requests, rows_of(visits, number), finished, sojourn)
    total = sojourn.sum()
    return [float(each_s / total) if total > 0 else 0.0 for each_s in waited_s]


def _waited_s(
    requests: pd.DataFrame, visits: pd.DataFrame, finished: np.ndarray[Any, Any], sojourn: np.ndarray[Any, Any]
) -> list[float]:
    """How long the finished requests waited at each component while their clients did, in seconds."""
    rows = request_rows(requests, visits)
    client_left = np.asarray(requests["end_s"])[rows]
    waited = np.where(finished[rows], waits_with_client_s(visits, client_left_s=client_left), 0.0)
    codes = np.asarray(visits["component"].cat.codes)
    sums = []
    for code in range(len(visits["component"].cat.categories)):
        at = codes == code
        each = np.bincount(rows[at], weights=waited[at], minlength=len(requests))
        sums.append(float(np.minimum(each, sojourn).sum()))
    return sums


def _waits_at(
    name: str, number: int, requests: pd.DataFrame, visits: pd.DataFrame | Aggregates, window: Window
) -> tuple[float, float]:
    """The mean wait of the admitted visits of one replication to a component (NaN: none), and most that waited."""
    if isinstance(visits, Aggregates):
        return visits.waiting_time_s_mean(number, name, window), visits.waiting_peak(number, name, window)
    visited = rows_of(visits, number)
    there = visited[np.asarray(visited["component"] == name)]
    highest = peak(*waiting_intervals(there), start_s=window.start_s, end_s=window.end_s)
    in_cohort = window.holds(np.asarray(requests["intended_start_s"])[request_rows(requests, there)])
    admitted = there[in_cohort & np.asarray(there["admitted_s"].notna())]
    return float(admitted["waiting_time_s"].mean()) if len(admitted) else float("nan"), float(highest)


def _for_what(scenario: Mapping[str, Any], component: str) -> str:
    """What a wait there is for, from the scenario's kind of part."""
    parts = scenario.get("components", {})
    name, _, rest = component.partition(".")
    place = rest.rpartition(".")[2]
    if place == "server":
        return "for a core of the database"
    if place == "lock":
        return "for the lock of a row"
    if place == "once":
        return "for an earlier attempt of the same transaction"
    part = parts.get(name if place.startswith(("replica_", "shard_")) else component, {})
    kind = part.get("kind", component.rpartition(".")[2])
    if kind in ("load_balancer", "envoy"):
        return f"for a connection to {part['targets']}" if "targets" in part else "for a connection"
    return _FOR_WHAT.get(kind, "in its queue")


def _named(name: str, *, kind_words: str, share: float, waiting_time_s: float, peak_number: float) -> Bottleneck:
    healthy = share <= HEALTHY_SHARE
    mean_wait = "none was let in" if np.isnan(waiting_time_s) else f"mean wait {1e3 * waiting_time_s:.3g} ms"
    numbers = f"{peak_number:.3g} waiting at the peak, {mean_wait}"
    if healthy:
        sentence = (
            f"No component waits for more than {HEALTHY_SHARE:.0%} of the sojourn time: "
            f"the largest share is {share:.2%}, at {name} ({numbers})."
        )
    else:
        sentence = f"Requests wait at {name} {kind_words}: {share:.0%} of the sojourn time, {numbers}."
    return Bottleneck(
        component=name,
        waiting_share=share,
        waiting_time_s_mean=waiting_time_s,
        number_waiting_peak=peak_number,
        is_healthy=healthy,
        sentence=sentence,
    )


def _nobody_waits() -> Bottleneck:
    return Bottleneck(
        component=None,
        waiting_share=0.0,
        waiting_time_s_mean=0.0,
        number_waiting_peak=0.0,
        is_healthy=True,
        sentence="No request waited at any component (0 % of the sojourn time).",
    )
