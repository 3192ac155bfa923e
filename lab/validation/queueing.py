"""What became of the messages of a queue: how long they waited, how many at once, what came back and what died."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from lab.errors import NotEnoughData
from lab.runs.run import Run

_DRAINED = 0.1
"""The share of its peak at which a backlog counts as drained."""


def backlog_peak(run: Run, queue: str) -> list[float]:
    """Return the most messages that waited at once, in each replication or repeat.

    Raises:
        NotEnoughData: the Run has no message of that queue.
    """
    return [float(waiting.max()) for _, waiting in _backlogs(run, queue)]


def drain_time_s(run: Run, queue: str) -> list[float]:
    """Return how long each backlog took from its peak to a tenth of it; what is left when the run ends lasts till then.

    Raises:
        NotEnoughData: the Run has no message of that queue.
    """
    times = []
    for times_s, waiting in _backlogs(run, queue):
        peak = int(waiting.argmax())
        drained = np.flatnonzero(waiting[peak:] <= _DRAINED * waiting[peak])
        end_s = times_s[peak + drained[0]] if drained.size else run.window.end_s
        times.append(float(end_s - times_s[peak]))
    return times


def time_in_queue_s_mean(run: Run, queue: str) -> list[float]:
    """Return the mean wait of the messages that were delivered, warm-up excluded.

    Raises:
        NotEnoughData: the Run has no message of that queue.
    """
    return [float(own["waiting_time_s"].mean()) for own in _delivered(run, queue)]


def time_in_queue_s_p95(run: Run, queue: str) -> list[float]:
    """Return the 95 % quantile of the waits of the messages that were delivered, warm-up excluded.

    Raises:
        NotEnoughData: the Run has no message of that queue.
    """
    return [float(own["waiting_time_s"].quantile(0.95)) for own in _delivered(run, queue)]


def time_until_done_s_mean(run: Run, queue: str) -> list[float]:
    """Return the mean time from a message's publishing until it was acknowledged, warm-up excluded.

    Raises:
        NotEnoughData: the Run has no message of that queue.
    """
    return [float(times_s.mean()) for times_s in _until_done(run, queue)]


def time_until_done_s_p95(run: Run, queue: str) -> list[float]:
    """Return the 95 % quantile of the times from publishing until acknowledgement, warm-up excluded.

    Raises:
        NotEnoughData: the Run has no message of that queue.
    """
    return [float(times_s.quantile(0.95)) for times_s in _until_done(run, queue)]


def redelivery_ratio(run: Run, queue: str) -> list[float]:
    """Return the redeliveries per message published, over the whole run.

    Raises:
        NotEnoughData: the Run has no message of that queue.
    """
    return _per_message(run, queue, "redelivery")


def dead_letter_ratio(run: Run, queue: str) -> list[float]:
    """Return the share of messages that became dead letters, over the whole run.

    Raises:
        NotEnoughData: the Run has no message of that queue.
    """
    return _per_message(run, queue, "dead_letter")


QUEUE_FIGURES: dict[str, tuple[Callable[[Run, str], list[float]], str]] = {
    "backlog_peak": (backlog_peak, ""),
    "drain_time_s": (drain_time_s, "s"),
    "time_in_queue_s_mean": (time_in_queue_s_mean, "s"),
    "time_in_queue_s_p95": (time_in_queue_s_p95, "s"),
    "time_until_done_s_mean": (time_until_done_s_mean, "s"),
    "time_until_done_s_p95": (time_until_done_s_p95, "s"),
    "redelivery_ratio": (redelivery_ratio, ""),
    "dead_letter_ratio": (dead_letter_ratio, ""),
}
"""By name, what gives a value a replication (or repeat) for a queue, and its unit."""


def _stays(run: Run, queue: str) -> list[pd.DataFrame]:
    visits = run.visits[run.visits["component"] == queue]
    if visits.empty:
        raise NotEnoughData(f"the {run.world} Run has no message of {queue!r}; name a queue of its scenario")
    return [visits[visits["replication"] == number] for number in run.replications]


def _delivered(run: Run, queue: str) -> list[pd.DataFrame]:
    begin_s = run.window.start_s
    return [own[(own["arrival_s"] >= begin_s) & own["admitted_s"].notna()] for own in _stays(run, queue)]


def _until_done(run: Run, queue: str) -> list[pd.Series[float]]:
    begin_s, times = run.window.start_s, []
    for own in _stays(run, queue):
        message = own.groupby(["request", "attempt"])
        published_s = message["arrival_s"].min()
        done_s = own[own["outcome"] == "ok"].groupby(["request", "attempt"])["departure_s"].max()
        times.append((done_s - published_s[published_s >= begin_s]).dropna())
    return times


def _backlogs(run: Run, queue: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return when the number of waiting messages changed, and what it was from then on."""
    steps = []
    for own in _stays(run, queue):
        came_s = own["arrival_s"].to_numpy()
        left_s = own["admitted_s"].fillna(own["departure_s"]).dropna().to_numpy()
        times_s = np.concatenate([came_s, left_s])
        changes = np.concatenate([np.ones(len(came_s)), -np.ones(len(left_s))])
        order = np.lexsort((changes, times_s))
        steps.append((times_s[order], np.cumsum(changes[order])))
    return steps


def _per_message(run: Run, queue: str, kind: str) -> list[float]:
    events = run.events[(run.events["component"] == queue) & (run.events["kind"] == kind)]
    published = run.visits[(run.visits["component"] == f"{queue}.publish") & (run.visits["outcome"] == "ok")]
    ratios = []
    for number in run.replications:
        messages = int((published["replication"] == number).sum())
        if not messages:
            raise NotEnoughData(f"nothing was published to {queue!r} in replication {number}")
        ratios.append(int((events["replication"] == number).sum()) / messages)
    return ratios
