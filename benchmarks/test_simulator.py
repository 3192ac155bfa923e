"""How fast the simulator is: requests and events per second. `make benchmark`; no figure here decides a test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import simpy
from pytest_benchmark.fixture import BenchmarkFixture

import lab
from benchmarks.scenarios import four_parts
from lab.scenario.schedule import draw_schedule
from lab.simulation.replicate import replicate

FIRST_SPIKE = Path(__file__).parents[1] / "scenarios" / "validation" / "first_spike.yaml"


def _events(scenario: lab.Scenario, monkeypatch: pytest.MonkeyPatch) -> int:
    """Count the events of one replication."""
    counted = 0
    step = simpy.Environment.step

    def counting(self: simpy.Environment) -> None:
        nonlocal counted
        counted += 1
        step(self)

    with monkeypatch.context() as patched:
        patched.setattr(simpy.Environment, "step", counting)
        replicate(scenario, draw_schedule(scenario, seed=1, replication=0), seed=1, replication=0)
    return counted


@pytest.mark.parametrize("name", ["four_parts", "first_spike"])
def test_requests_per_second(name: str, benchmark: BenchmarkFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """One replication, from the schedule to the columns of its tables."""
    scenario = four_parts() if name == "four_parts" else lab.read_scenario(FIRST_SPIKE)
    schedule = draw_schedule(scenario, seed=1, replication=0)
    events = _events(scenario, monkeypatch)
    observed = benchmark(lambda: replicate(scenario, schedule, seed=1, replication=0))
    assert len(observed.requests["request"]) == len(schedule)
    took_s = benchmark.stats.stats.median
    benchmark.extra_info |= {"requests_per_s": round(len(schedule) / took_s), "events_per_s": round(events / took_s)}
    print(f"\n{name}: {len(schedule) / took_s:,.0f} requests/s, {events / took_s:,.0f} events/s")


@pytest.mark.parametrize("module", ["lab", "pandas"])
def test_import(module: str, benchmark: BenchmarkFixture) -> None:
    """A fresh interpreter that imports the lab with what a first prediction needs, beside one that imports pandas."""
    code = {
        "pandas": "import pandas",
        "lab": "import pandas, lab; lab.Scenario, lab.read_scenario, lab.simulate, lab.Run, lab.compare",
    }
    benchmark.pedantic(
        lambda: subprocess.run([sys.executable, "-c", code[module]], check=True), rounds=7, warmup_rounds=1
    )
