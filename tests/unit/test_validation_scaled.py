"""Figures of a backend that scales: when replicas come and go, and when a spike is over."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from lab.errors import NotEnoughData
from lab.runs.recovery import time_to_recover_s
from lab.runs.run import Run
from lab.runs.tables import REQUESTS, SAMPLES, Tables
from lab.validation.scaled import spike_sojourn_time_s_p95, switches_over_time

SPIKE = {"kind": "spike", "base": "1/s", "peak": "10/s", "at": "10s", "rise": "1s", "hold": "8s", "fall": "1s"}
RECOVERY = {"metric": "recovery_time", "after": "10s", "window": "2s", "within": "500ms", "at_most": "10s"}


def run(
    ready: list[tuple[float, float]] | None = None, times_s: list[tuple[float, float]] | None = None, **changes: Any
) -> Run:
    """Return a Run of 40 s with readings of the ready replicas, and requests that took so long."""
    scenario: dict[str, Any] = {
        "workload": {"kind": "open", "arrival_rate": SPIKE},
        "objectives": [RECOVERY],
        "components": {"api": {"kind": "service", "autoscaler": {"kind": "hpa", "sync_period": "5s"}}},
        "run": {"duration": "40s", "warm_up": "0s"},
        **changes,
    }
    ready = ready or [(0.0, 2.0)]
    times_s = times_s or [(1.0, 0.1)]
    samples = {
        "replication": [0] * len(ready),
        "time_s": [time_s for time_s, _ in ready],
        "component": ["api"] * len(ready),
        "replica": [-1] * len(ready),
        "gauge": ["replicas_ready"] * len(ready),
        "value": [value for _, value in ready],
    }
    starts = [start_s for start_s, _ in times_s]
    requests = {
        "replication": [0] * len(times_s),
        "request": list(range(len(times_s))),
        "endpoint": ["get"] * len(times_s),
        "key": [0] * len(times_s),
        "intended_start_s": starts,
        "start_s": starts,
        "end_s": [start_s + took_s for start_s, took_s in times_s],
        "sojourn_time_s": [took_s for _, took_s in times_s],
        "outcome": ["ok"] * len(times_s),
        "attempts": [1] * len(times_s),
    }
    tables = Tables(requests=REQUESTS.frame(pd.DataFrame(requests)), samples=SAMPLES.frame(pd.DataFrame(samples)))
    return Run(world="predicted", scenario=scenario, tables=tables, seed=1, provenance={})


def test_switches_are_counted_in_sync_periods() -> None:
    """Two replicas at once are two switches, a reading that repeats is none, and what is left over reads as the end."""
    (row,) = switches_over_time(run([(0.0, 2.0), (10.0, 2.0), (12.5, 4.0), (30.0, 3.0)]))
    assert row[:5] == [2.5, 2.5, 6.0, 8.0, 8.0]
    assert len(row) == 64


def test_a_switch_in_one_world_alone_is_far_off() -> None:
    """So that a figure that allows one sync period cannot hide it."""
    (one,), (other,) = switches_over_time(run([(0.0, 2.0), (5.0, 3.0)])), switches_over_time(run([(0.0, 2.0)]))
    assert max(abs(a - b) for a, b in zip(one, other, strict=True)) == 7.0


def test_recovery_is_what_the_scenario_promises() -> None:
    """Slow until 17 s: from the stretch that begins at 18 s on, 8 s after the spike began, all is well."""
    requests = [(float(second), 2.0 if 10 <= second <= 17 else 0.1) for second in range(40)]
    slow_s = run(times_s=requests)
    assert time_to_recover_s(slow_s) == [8.0]
    assert spike_sojourn_time_s_p95(slow_s) == [2.0]


def test_what_cannot_be_known_is_an_error() -> None:
    """Without an autoscaler, an objective or a spike there is no such figure."""
    with pytest.raises(NotEnoughData, match="no service has an autoscaler"):
        switches_over_time(run(components={"api": {"kind": "service"}}))
    with pytest.raises(NotEnoughData, match="metric recovery_time"):
        time_to_recover_s(run(objectives=[]))
    with pytest.raises(NotEnoughData, match="replication 0: no request was meant to start from 10 s on"):
        time_to_recover_s(run(times_s=[(1.0, 0.1)]))
    with pytest.raises(NotEnoughData, match="no spike"):
        spike_sojourn_time_s_p95(run(workload={"kind": "open", "arrival_rate": "5/s"}))
