"""Two overheads, for who comes to an idle process and to a busy one: told by CPU time, at low load."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lab
from lab.calibration import joined
from lab.calibration.alone import undisturbed
from lab.errors import Unsupported, UsageError
from lab.runs.tables import SAMPLES, Tables

OVERHEADS = ["components.api.overhead", "components.api.busy_overhead"]
TEXT = """
name: two_overheads
workload: {kind: open, arrival_rate: 18/s, endpoints: {compute: 100%}}
client: {timeout: 10s, round_trip: 500us}
entry: api
components:
  api:
    kind: service
    overhead: 2ms
    busy_overhead: 1ms
    endpoints:
      compute: [{kind: cpu, time: {kind: lognormal, mean: 15ms, scv: 0.5}}]
run: {duration: 122s, warm_up: 2s, replications: 1, seed: 3}
"""


@pytest.fixture(scope="module")
def scenario() -> lab.Scenario:
    return lab.parse_scenario(TEXT)


@pytest.fixture(scope="module")
def predicted(scenario: lab.Scenario) -> lab.Run:
    return lab.simulate(scenario, n_jobs=1, progress=False)


@pytest.fixture(scope="module")
def measured(predicted: lab.Run) -> lab.Run:
    """The run as a measurement would show it: no rows of the event loop, but CPU time once a second."""
    visits = predicted.visits
    on_loop = visits["component"] == "api.event_loop"
    loop = visits[on_loop & (visits["operation"] != "turn")]
    seconds = np.arange(0.0, 123.0)
    spent_s = np.zeros(len(seconds))  # in the second before
    for begun_s, ended_s in zip(loop["arrival_s"], loop["departure_s"], strict=True):
        spent_s[1:] += np.clip(np.minimum(ended_s, seconds[1:]) - np.maximum(begun_s, seconds[:-1]), 0.0, None)
    kept = visits[~on_loop & (visits["component"] != "client")].copy()
    own = loop[loop["operation"] == "cpu"].set_index("request")["service_time_s"]
    kept["service_time_s"] += kept["request"].map(own).fillna(0.0)
    used = pd.DataFrame({"replication": 0, "time_s": seconds, "component": "api", "replica": 0, "gauge": "cpu_ratio"})
    tables = {**predicted.tables.as_dict(), "visits": kept, "samples": SAMPLES.frame(used.assign(value=spent_s))}
    return replace(predicted, world="measured", tables=Tables(**tables))


def _means(calibration: lab.Calibration) -> list[float]:
    return [calibration.parameters[path].mean for path in OVERHEADS]


def test_rows_of_the_simulator_tell_both(predicted: lab.Run, scenario: lab.Scenario) -> None:
    """Each stretch of computing says which it was."""
    assert _means(lab.calibrate(predicted, scenario, OVERHEADS)) == pytest.approx([2e-3, 1e-3])


def test_cpu_time_and_a_replay_tell_both(measured: lab.Run, scenario: lab.Scenario) -> None:
    """Though two in three come to an idle process, and first guesses are far off; one overhead is in between."""
    guessed = {"components.api.overhead": "500us", "components.api.busy_overhead": "400us"}
    wrong = replace(measured, scenario=scenario.with_(guessed).to_document())
    found = lab.calibrate(wrong, scenario, OVERHEADS)
    assert _means(found) == pytest.approx([2e-3, 1e-3], rel=0.1)
    idle, busy = (found.parameters[path] for path in OVERHEADS)
    assert idle.low <= 2e-3 <= idle.high
    assert busy.low <= 1e-3 <= busy.high < idle.low
    alone = lab.calibrate(measured, scenario.with_({OVERHEADS[1]: None}), OVERHEADS[:1]).parameters[OVERHEADS[0]]
    assert busy.high < alone.mean < idle.low


def test_one_tells_of_the_other(measured: lab.Run, scenario: lab.Scenario) -> None:
    """So both are asked for; and the scenario must tell them apart, or a replay cannot."""
    with pytest.raises(UsageError, match=r"calibrate components\.api\.overhead too"):
        lab.calibrate(measured, scenario, OVERHEADS[1:])
    same = replace(measured, scenario=scenario.with_({OVERHEADS[1]: None}).to_document())
    with pytest.raises(UsageError, match="first guesses above 0s"):
        lab.calibrate(same, scenario, OVERHEADS)


def test_whom_answers_decide_when_to_come_cannot_be_replayed(measured: lab.Run, scenario: lab.Scenario) -> None:
    """Closed clients come at other times in the simulator."""
    closed = scenario.to_document()
    closed["workload"] = {"kind": "closed", "population": 2, "think_time": "50ms", "endpoints": {"compute": "100%"}}
    with pytest.raises(UsageError, match="open workload"):
        lab.calibrate(replace(measured, scenario=closed), scenario, OVERHEADS)


def test_what_drivers_compute_is_not_told_apart(measured: lab.Run, scenario: lab.Scenario) -> None:
    """The CPU time of a service that calls others holds that of its calls."""
    document: dict[str, Any] = scenario.to_document()
    document["components"]["main"] = {"kind": "database", "pool": {"size": 2}, "queries": {"get": "1ms"}}
    document["components"]["api"]["endpoints"]["compute"].append({"kind": "query", "database": "main", "query": "get"})
    with pytest.raises(Unsupported, match="leave busy_overhead out"):
        lab.calibrate(replace(measured, scenario=document), scenario, OVERHEADS)


def test_undisturbed_requests_are_not_chosen_by_what_they_took() -> None:
    """Every second a pair: the first of it meets the second, whose way is free for a second afterwards."""
    starts_s = np.array([second + offset for second in range(60) for offset in (0.0, 0.05)])
    took_s = np.where(np.arange(120) % 2 == 0, 0.2, 0.1)
    requests = pd.DataFrame(
        {"replication": 0, "request": range(120), "intended_start_s": starts_s, "end_s": starts_s + took_s}
    ).assign(sojourn_time_s=took_s)
    assert undisturbed(requests, requests)["request"].tolist() == list(range(120))  # nobody is: all are kept
    apart = requests.assign(intended_start_s=np.arange(120) * 0.3, end_s=np.arange(120) * 0.3 + took_s)
    late = apart.assign(end_s=apart["end_s"] + np.where(apart["request"] == 7, 0.25, 0.0))
    assert undisturbed(apart, apart)["request"].tolist() == list(range(120))
    assert 8 not in undisturbed(late, late)["request"].tolist()
    assert len(undisturbed(late, late)) == 119


def test_calibrations_of_several_runs_are_joined(predicted: lab.Run, scenario: lab.Scenario) -> None:
    """One after the other, each of its own parameters; the range is what they span together."""
    first = lab.calibrate(predicted, scenario, OVERHEADS)
    busier = scenario.with_({"workload.arrival_rate": "25/s", "run.duration": "22s"})
    second = lab.calibrate(
        lab.simulate(busier, n_jobs=1, progress=False), busier, ["components.api.endpoints.compute.0.time"]
    )
    both = joined([first, second])
    assert list(both.parameters) == [*OVERHEADS, "components.api.endpoints.compute.0.time"]
    assert both.range.arrival_rate_per_s == 25
    assert both.range.utilisation == second.range.utilisation
    assert both.sha256 not in (first.sha256, second.sha256)
    assert lab.Calibration.model_validate(both.to_document()).sealed().sha256 == both.sha256
    assert joined([first]) is first
