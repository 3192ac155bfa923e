"""What the lessons about functions show, by variants of the scenario in the same world."""

from __future__ import annotations

from pathlib import Path

import pytest

import lab
from lab.validation.laws import broken_laws

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::lab.experiment.simulate.OverloadWarning")]

PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"
_PROVISIONED = {"components.api.autoscaler.schedule": [{"at": "110s", "min": 50}, {"at": "152s", "min": 0}]}


def _cold(run: lab.Run, since_s: float, until_s: float) -> float:
    """The share of cold starts among the invocations that came in a stretch of time."""
    own = run.visits[(run.visits["component"] == "api.platform") & run.visits["admitted_s"].notna()]
    return 1 - float(own.loc[own["arrival_s"].between(since_s, until_s), "hit"].mean())


def _slowest(run: lab.Run) -> float:
    """What 95 % of those who came in the first second of the push took at most, as far as they were answered."""
    first = run.requests[run.requests["intended_start_s"].between(120.0, 121.0) & (run.requests["outcome"] == "ok")]
    return float(first["sojourn_time_s"].quantile(0.95))


def test_serverless_cold_starts() -> None:
    """The first second of the push is cold, the rest is warm; provisioning before it spares that."""
    scenario = lab.read_scenario(PATTERNS / "serverless_cold_starts.yaml")
    on_demand = lab.simulate(scenario, progress=False)
    assert broken_laws(on_demand) == []
    assert _cold(on_demand, 120.0, 121.0) > 0.5
    assert _cold(on_demand, 130.0, 150.0) < 0.05
    provisioned = lab.simulate(scenario.with_(_PROVISIONED), progress=False)
    assert _cold(provisioned, 120.0, 121.0) < 0.02
    change = lab.difference(on_demand, provisioned).set_index(["metric", "subject"])
    assert _slowest(on_demand) > 0.8
    assert _slowest(provisioned) < 0.7
    assert change.loc[("gb_seconds", "api"), "high"] < 0  # what requests had: a cold start is paid for
    refused = lab.simulate(scenario.with_({"components.api.autoscaler.max": 20}), progress=False, replications=1)
    throttled = (refused.visits["component"] == "api.platform") & (refused.visits["outcome"] == "rejected")
    assert throttled.mean() > 0.1  # 150/s of 200 ms are 30 under way, of which 20 are let in
