"""What a fleet costs, and how long a recovery takes: by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lab
from lab.runs.fleets import replica_seconds_frame
from lab.runs.recovery import Recovery, recovery_time_s
from lab.runs.tables import SAMPLES
from lab.runs.window import Window

_SERVICE = {"kind": "service", "replicas": 3}


def _samples(steps: list[tuple[float, str, float]]) -> pd.DataFrame:
    rows = len(steps)
    return SAMPLES.frame(
        {
            "replication": [0] * rows,
            "time_s": [at for at, _, _ in steps],
            "component": ["api"] * rows,
            "replica": [-1] * rows,
            "gauge": [gauge for _, gauge, _ in steps],
            "value": [value for _, _, value in steps],
        }
    )


def _cost(steps: list[tuple[float, str, float]], window: Window) -> float:
    frame = replica_seconds_frame(_samples(steps), {"components": {"api": _SERVICE}}, replications=(0,), window=window)
    assert list(frame["subject"]) == ["api"]
    return float(frame["value"].iloc[0])


def test_a_fixed_fleet_costs_its_number_times_the_time() -> None:
    """3 replicas for 80 s."""
    assert _cost([], Window(start_s=20.0, end_s=100.0)) == 240.0


def test_a_process_costs_from_its_start_to_its_end() -> None:
    """2 ready throughout; a third boots from 10 s, is ready from 18 s, drains from 50 s, and is gone at 53 s: 43 s."""
    steps = [
        *((0.0, "replicas_ready", 2), (18.0, "replicas_ready", 3), (50.0, "replicas_ready", 2)),
        *((0.0, "replicas_starting", 0), (10.0, "replicas_starting", 1), (18.0, "replicas_starting", 0)),
        *((0.0, "replicas_draining", 0), (50.0, "replicas_draining", 1), (53.0, "replicas_draining", 0)),
        (0.0, "replicas_wanted", 9),
    ]
    assert _cost(steps, Window(start_s=0.0, end_s=100.0)) == 2 * 100 + 43
    assert _cost(steps, Window(start_s=20.0, end_s=40.0)) == 3 * 20


def _requests(good: list[tuple[float, str, float]]) -> pd.DataFrame:
    starts = np.array([at for at, _, _ in good])
    return pd.DataFrame(
        {
            "endpoint": pd.Categorical(["get"] * len(good)),
            "intended_start_s": starts,
            "outcome": pd.Categorical([outcome for _, outcome, _ in good]),
            "sojourn_time_s": [sojourn for _, _, sojourn in good],
        }
    )


def _time(good: list[tuple[float, str, float]], **recovery: Any) -> float:
    given = {"after_s": 10.0, "window_s": 5.0, "good_ratio": 0.5, "within_s": None} | recovery
    return recovery_time_s(_requests(good), Recovery(**given), window=Window(start_s=0.0, end_s=40.0), endpoint=None)


def test_recovered_is_what_stays_good() -> None:
    """Stretches from 10 s: bad, good, bad, good, good, good: recovered at 25 s, though 15 s to 20 s was good too."""
    outcomes = ["error", "ok", "error", "ok", "ok", "ok"]
    rows = [(10.0 + 5 * number + 1, outcome, 0.1) for number, outcome in enumerate(outcomes)]
    assert _time(rows) == 15.0
    assert _time([row for row in rows if row[1] == "ok"]) == 0.0  # never bad
    assert math.isnan(_time([*rows, (39.0, "error", 0.1), (39.5, "timeout", 0.1)]))  # bad to the end
    assert math.isnan(_time([(5.0, "ok", 0.1)]))  # nothing to judge by


def test_enough_must_be_good_and_quick_enough() -> None:
    """Two of three are less than 70 %; an answer after 2 s is not good within 1 s.

    In flight counts for nothing, unless it is too late for an answer in time already.
    """
    rows = [(11.0, "ok", 0.1), (12.0, "ok", 2.0), (13.0, "error", 0.1), (14.0, "in_flight", np.nan), (16.0, "ok", 0.1)]
    assert _time(rows, good_ratio=0.6) == 0.0
    assert _time(rows, good_ratio=0.7) == 5.0
    assert _time(rows, good_ratio=0.6, within_s=1.0) == 5.0
    under_way = [(11.0, "ok", 0.1), (36.0, "in_flight", np.nan)]
    assert _time(under_way, within_s=5.0) == 0.0
    assert math.isnan(_time(under_way, within_s=3.0))


@pytest.fixture(scope="module")
def run() -> lab.Run:
    """Two of two replicas crash at 20 s and are back at 32 s, called one by one."""
    return lab.simulate(
        lab.Scenario.model_validate(
            {
                "name": "recovers",
                "workload": {"kind": "open", "arrival_rate": "20/s", "endpoints": {"get": "100%"}},
                "entry": "api",
                "components": {
                    "api": {
                        "kind": "service",
                        "boot_time": "2s",
                        "endpoints": {"get": [{"kind": "wait", "time": "10ms"}]},
                    }
                },
                "faults": [{"kind": "crash", "at": "20s", "component": "api", "restart_after": "10s"}],
                "objectives": [
                    {"metric": "recovery_time", "after": "20s", "window": "2s", "at_most": "12s"},
                    {"metric": "recovery_time", "after": "20s", "good_ratio": "99%", "within": "1s", "at_most": "5s"},
                    {"metric": "replica_seconds", "component": "api", "at_most": "50s"},
                ],
                "run": {"duration": "60s", "replications": 2},
            }
        ),
        progress=False,
    )


def test_objectives_on_recovery_and_cost(run: lab.Run) -> None:
    """12 s without anybody; 5 s stretches see the third one from 30 s to 35 s bad; 10 s less are paid for."""
    first, second, cost = run.objectives()
    assert (first.value, first.met, first.unit) == (12.0, True, "s")
    assert (second.value, second.met) == (15.0, False)
    assert first.text == "recovery_time after 20 s <= 12 s"
    assert cost.text == "replica_seconds of api <= 50 s"
    assert (cost.value, cost.met) == (50.0, True)  # 20 s, and 30 s from the start of the new process on


def test_the_cost_stands_in_the_summary(run: lab.Run) -> None:
    """Beside the other figures of the component."""
    row = run.summary().set_index(["metric", "subject"]).loc[("replica_seconds", "api")]
    assert (row["estimate"], row["unit"]) == (50.0, "s")


def test_what_never_recovers_has_no_figure() -> None:
    """It counts as not met, and the note says why."""
    scenario = lab.Scenario.model_validate(
        {
            "name": "stays_down",
            "workload": {"kind": "open", "arrival_rate": "20/s", "endpoints": {"get": "100%"}},
            "entry": "api",
            "components": {"api": {"kind": "service", "endpoints": {"get": [{"kind": "wait", "time": "10ms"}]}}},
            "faults": [{"kind": "crash", "at": "20s", "component": "api"}],
            "objectives": [{"metric": "recovery_time", "after": "20s", "at_most": "12s"}],
            "run": {"duration": "40s", "replications": 2},
        }
    )
    (judged,) = lab.simulate(scenario, progress=False).objectives()
    assert not judged.met
    assert math.isnan(judged.value)
    assert judged.note == "2 of 2 replications have no such figure and count as not met"
