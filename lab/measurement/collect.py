"""From the traces of the reference backend to the tables of a Run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from lab.runs.gauges import gauges
from lab.runs.tables import EVENTS, REQUESTS, SAMPLES, VISITS, Tables
from lab.scenario.scenario import Scenario

UNOBSERVED = (
    "service_time_s of a load balancer or cdn: HAProxy logs whole milliseconds, too coarse for its own work",
    "visits to event loops: a coroutine cannot see its turn; CPU steps are in service_time_s of their service",
    "service_time_s of a database's server, and waits for locks: a statement is timed with its way there and back",
    "the client's round trip: it is in the requests' sojourn times only",
    "visits to a link that is cut or slow: their time is in the service_time_s of what is asked over it",
)


def collect(folder: Path, scenario: Scenario, *, repeats: int) -> Tables:
    """Return the tables of all repeats, cut at the end of the run as the simulator cuts them.

    Args:
        folder: the backend's output, with ``repeat-0/`` and so on.
    """
    parts = [_repeat(folder / f"repeat-{number}", number, scenario.run.duration) for number in range(repeats)]
    requests = REQUESTS.stack([REQUESTS.frame(part["requests"]) for part in parts])
    visits = VISITS.stack([VISITS.frame(part["visits"]) for part in parts])
    samples = [SAMPLES.frame(part["samples"]) for part in parts]
    return Tables(
        requests=requests,
        visits=visits,
        samples=SAMPLES.stack([*samples, gauges(requests, visits, scenario.to_document())]),
        events=EVENTS.stack([EVENTS.frame(part["events"]) for part in parts]),
    )


def _repeat(folder: Path, number: int, duration_s: float) -> dict[str, pd.DataFrame]:
    frames = {
        name: pd.read_parquet(folder / f"{file}.parquet")
        for name, file in (("requests", "requests"), ("visits", "spans"), ("samples", "samples"), ("events", "events"))
    }
    for frame in frames.values():
        frame.insert(0, "replication", number)
    frames["requests"] = _requests(frames["requests"], duration_s)
    frames["visits"] = _visits(frames["visits"], duration_s)
    for name in ("samples", "events"):
        time_s = frames[name]["time_s"]
        frames[name] = frames[name][(time_s >= 0) & (time_s <= duration_s)]
    return frames


def _requests(frame: pd.DataFrame, duration_s: float) -> pd.DataFrame:
    late = frame["end_s"].isna() | (frame["end_s"] > duration_s)
    frame.loc[late, "end_s"] = np.nan
    frame.loc[late, "outcome"] = "in_flight"
    frame["sojourn_time_s"] = frame["end_s"] - frame["intended_start_s"]
    return frame


def _visits(frame: pd.DataFrame, duration_s: float) -> pd.DataFrame:
    # What arrived before the schedule's zero was left over from the repeat before.
    frame = frame[(frame["arrival_s"] >= 0) & (frame["arrival_s"] <= duration_s)].copy()
    queued = frame["admitted_s"] > duration_s
    frame.loc[queued, ["admitted_s", "waiting_time_s"]] = np.nan
    late = frame["departure_s"].isna() | (frame["departure_s"] > duration_s)
    frame.loc[late, "departure_s"] = np.nan
    frame.loc[late, "outcome"] = "in_flight"
    return frame
