"""What the generator saw: one row a request, one row an attempt."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from reference_backend.load.schedule import Planned

# ``cancelled`` is a copy that was given up since another was quicker: an outcome of attempts, never of requests.
Outcome = Literal["ok", "timeout", "rejected", "error", "in_flight", "cancelled"]
EVENTS_FILE = "client_events.json"

_ATTEMPTS = pa.schema(
    [
        ("request", pa.int64()),
        ("attempt", pa.int32()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("status", pa.int32()),
        ("outcome", pa.string()),
    ]
)
_REQUESTS = pa.schema(
    [
        ("request", pa.int64()),
        ("endpoint", pa.string()),
        ("key", pa.int64()),
        ("intended_start_s", pa.float64()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("outcome", pa.string()),
        ("attempts", pa.int32()),
    ]
)


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One attempt; it counts as in flight until it is told otherwise."""

    start_s: float
    end_s: float = math.nan
    status: int | None = None
    outcome: Outcome = "in_flight"


@dataclass(slots=True, kw_only=True)
class Sent:
    """One request that was sent, with its attempts so far."""

    planned: Planned
    start_s: float
    end_s: float = math.nan
    outcome: Outcome = "in_flight"
    attempts: list[Attempt] = field(default_factory=list)

    def end(self, outcome: Outcome, end_s: float) -> None:
        """Note how the request ended, and when."""
        self.outcome, self.end_s = outcome, end_s


def write(folder: Path, sent: list[Sent]) -> None:
    """Write ``requests.parquet`` and ``attempts.parquet``; all times are already relative to the schedule's zero."""
    requests = [
        {
            "request": one.planned.request,
            "endpoint": one.planned.endpoint,
            "key": one.planned.key,
            "intended_start_s": one.planned.intended_start_s,
            "start_s": one.start_s,
            "end_s": one.end_s,
            "outcome": one.outcome,
            "attempts": len(one.attempts),
        }
        for one in sent
    ]
    attempts = [
        {
            "request": one.planned.request,
            "attempt": number,
            "start_s": attempt.start_s,
            "end_s": attempt.end_s,
            "status": attempt.status,
            "outcome": attempt.outcome,
        }
        for one in sent
        for number, attempt in enumerate(one.attempts)
    ]
    pq.write_table(pa.Table.from_pylist(requests, schema=_REQUESTS), folder / "requests.parquet")
    pq.write_table(pa.Table.from_pylist(attempts, schema=_ATTEMPTS), folder / "attempts.parquet")


def write_events(folder: Path, happened: list[tuple[float, str, dict[str, object]]]) -> None:
    """Write what happened to the client itself: times relative to the schedule's zero, kinds, details."""
    (folder / EVENTS_FILE).write_text(json.dumps(happened) + "\n")


def faults(sent: list[Sent]) -> int:
    """Return how many attempts the client itself failed at: they ended with neither an answer nor a timeout."""
    return sum(attempt.outcome == "error" and attempt.status is None for one in sent for attempt in one.attempts)


def write_quality(
    folder: Path, sent: list[Sent], *, dropped: int, broken: int, cpu_ratio: float, cores: list[int]
) -> None:
    """Write ``generator.json``: whether the generator kept its schedule.

    ``faults`` are attempts without an answer or a timeout, and requests whose code broke; ``unfinished`` are requests
    that were still in flight when the generator's patience ended.
    """
    late = sorted(one.start_s - one.planned.intended_start_s for one in sent)
    if not late:
        raise ValueError("no request was sent, so there is no lateness to report")
    quality = {
        "sent": len(sent),
        "dropped": dropped,
        "faults": faults(sent) + broken,
        "unfinished": sum(one.outcome == "in_flight" for one in sent),
        "lateness_s_p50": quantile(late, 0.50),
        "lateness_s_p99": quantile(late, 0.99),
        "lateness_s_max": late[-1],
        "cpu_ratio": cpu_ratio,
        "cores": cores,
    }
    (folder / "generator.json").write_text(json.dumps(quality, indent=1) + "\n")


def quantile(ordered: list[float], share: float) -> float:
    """Return a quantile of ordered values, by linear interpolation between neighbours.

    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5)
    2.5
    """
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
