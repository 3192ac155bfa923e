"""From the traces of the reference backend to the tables of a Run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lab.errors import MeasurementFailed
from lab.runs.gauges import gauges
from lab.runs.tables import EVENTS, REQUESTS, SAMPLES, VISITS, Tables
from lab.scenario.scenario import Scenario

UNOBSERVED = (
    "service_time_s of a load balancer: HAProxy logs whole milliseconds, too coarse for its own work",
    "visits to event loops: a coroutine cannot see its turn; CPU steps are in service_time_s of their service",
    "the client's round trip: it is in the requests' sojourn times only",
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


def validity(folder: Path, *, repeats: int) -> dict[str, Any]:
    """Return whether the measurement may judge, with the figures that say so.

    Source: the validation protocol, step 5: the generator kept its schedule and had room, the host was not the hidden
    bottleneck.
    """
    manifest = json.loads((folder / "manifest.json").read_text())
    generators = [json.loads((folder / f"repeat-{number}" / "generator.json").read_text()) for number in range(repeats)]
    cores = manifest["pinning"]["backend"]
    samples = [pd.read_parquet(folder / f"repeat-{number}" / "samples.parquet") for number in range(repeats)]
    busy = [_busiest_seconds(each, number) / len(cores or [0]) for number, each in enumerate(samples)]
    problems = [] if cores else ["generator and backend shared their cores (nothing was pinned)"]
    for number, generator in enumerate(generators):
        found = _generator_problems(generator) + _backend_problems(samples[number], busy[number])
        left = manifest["repeats"][number]["left_in_flight"]
        if left:
            found.append(f"{left} requests were still under way when it ended, and went on into what came next")
        problems += [f"repeat {number}: {problem}" for problem in found]
    return {"valid": not problems, "problems": problems, "generator": generators, "backend_cpu_ratio_peak": busy}


def _busiest_seconds(samples: pd.DataFrame, repeat: int) -> float:
    """Return the CPU time per time of all parts of the backend together, mean over its five busiest seconds."""
    used = samples[samples["gauge"] == "cpu_ratio"].groupby("time_s")["value"].sum()
    if used.empty:
        raise MeasurementFailed(f"repeat {repeat}: no CPU ratio was sampled, so nobody knows whether the host was busy")
    return float(used.nlargest(5).mean())


_LATEST_S = 2e-3
_BUSIEST = 0.7
_BUSIEST_BACKEND = 0.85


def _backend_problems(samples: pd.DataFrame, busy: float) -> list[str]:
    problems = []
    down = samples[(samples["gauge"] == "up") & (samples["value"] == 0)]
    named = sorted({f"{row.component}/{row.replica}" for row in down.itertuples()})
    if named:
        problems.append(f"the load balancer took {', '.join(named)} for dead for a while")
    if busy > _BUSIEST_BACKEND:
        problems.append(
            f"the backend used {busy:.0%} of its cores in its busiest seconds (allowed: {_BUSIEST_BACKEND:.0%}): "
            "what was measured is the host, which the scenario does not describe"
        )
    return problems


def _generator_problems(generator: dict[str, Any]) -> list[str]:
    problems = []
    if generator["lateness_s_p99"] > _LATEST_S:
        late_ms = generator["lateness_s_p99"] * 1e3
        problems.append(f"the generator was late by {late_ms:.1f} ms at p99 (allowed: {_LATEST_S * 1e3:g} ms)")
    if generator["dropped"]:
        problems.append(f"the generator dropped {generator['dropped']} requests")
    if generator["faults"]:
        problems.append(f"{generator['faults']} requests failed on the generator's own side")
    if abs(generator["clock_step_s"]) > _LATEST_S:
        problems.append(
            f"the wall clock was set by {generator['clock_step_s']:.3f} s, so the load balancer's log is shifted"
        )
    if generator["cpu_ratio"] > _BUSIEST:
        problems.append(f"the generator used {generator['cpu_ratio']:.0%} of its core (allowed: {_BUSIEST:.0%})")
    return problems
