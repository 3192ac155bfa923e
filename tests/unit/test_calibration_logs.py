"""Calibrating from what clients asked for and saw: keys, and a log without spans."""

from __future__ import annotations

from dataclasses import replace

import pytest

import lab
from lab.runs.tables import Tables
from tests.unit.test_calibration import TEXT


@pytest.fixture(scope="module")
def scenario() -> lab.Scenario:
    return lab.parse_scenario(TEXT)


def test_the_exponent_and_the_count_of_keys_are_found(scenario: lab.Scenario) -> None:
    """By maximum likelihood, each interval with the truth in it; a steeper law is not in it."""
    keys = {"kind": "zipf", "exponent": 0.9, "count": 300}
    made = scenario.with_({"workload.keys": keys, "workload.arrival_rate": "150/s", "run.duration": "10s"})
    run = made_of_schedule(made)
    found = lab.calibrate(run, made, ["workload.keys.exponent", "workload.keys.count"]).parameters
    exponent, count = found["workload.keys.exponent"], found["workload.keys.count"]
    assert exponent.low < 0.9 < exponent.high < 1.0
    assert count.low <= 300 <= count.high
    assert isinstance(count.value, int)


def made_of_schedule(scenario: lab.Scenario) -> lab.Run:
    """A run whose requests are answered at once: only its schedule is of interest."""
    light = scenario.with_({"components.api.endpoints": {"read": [{"kind": "wait", "time": "1us"}],
                                                         "login": [{"kind": "wait", "time": "1us"}]},
                            "components.items": {"kind": "cache"}})  # fmt: skip
    return lab.simulate(light, replications=1, n_jobs=1, progress=False)


@pytest.mark.slow
def test_the_clients_clock_alone_gives_wider_intervals_and_says_why(scenario: lab.Scenario) -> None:
    """An endpoint's time is the sojourn time less what else is known; timeouts count as longer."""
    single = scenario.with_(
        {
            "components.api.endpoints": {
                "read": [{"kind": "wait", "time": {"kind": "exponential", "mean": "30ms"}}],
                "login": [{"kind": "cpu", "time": {"kind": "lognormal", "mean": "6ms", "scv": 0.2}}],
            },
            "client.timeout": "60ms",
            "run.duration": "25s",
        }
    )
    run = lab.simulate(single, replications=1, n_jobs=1, progress=False)
    log = replace(run, world="measured", seed=None, tables=Tables(requests=run.requests))
    found = lab.calibrate(log, single, [])
    read = found.parameters["components.api.endpoints.read.0.time"]
    assert found.source == "client"
    assert "how much of it is CPU time is not known" in found.notes[0]
    assert read.censored > 20
    assert read.low < 30e-3 < read.high
    answered = run.requests[(run.requests["endpoint"] == "read") & (run.requests["outcome"] == "ok")]
    assert answered["sojourn_time_s"].mean() < read.low  # what dropping the timeouts would have said
    guess = lab.scenario_of_log(log)
    assert lab.calibrate(log, guess, []).apply(guess).components["service"].endpoints.keys() == {"read", "login"}  # type: ignore[union-attr]
