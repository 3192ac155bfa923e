"""What the lesson about Knative shows, by variants of the scenario in the same world."""

from __future__ import annotations

from pathlib import Path

import pytest

import lab
from lab.validation.laws import broken_laws

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::lab.experiment.simulate.OverloadWarning")]

_SIX = {"components.api.autoscaler.min": 6, "components.api.replicas": 6}
PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"


def _first(run: lab.Run, pods: int) -> float:
    """When so many pods were ready for the first time in replication 0."""
    own = run.samples[(run.samples["gauge"] == "replicas_ready") & (run.samples["replication"] == 0)]
    return float(own.loc[own["value"] >= pods, "time_s"].min())


def test_knative_panic() -> None:
    """40 under way need 6 pods at 7 each: the panic has them within seconds, and drops none; in the end all go."""
    scenario = lab.read_scenario(PATTERNS / "knative_panic.yaml")
    run = lab.simulate(scenario, progress=False)
    assert broken_laws(run) == []
    assert all(each.met for each in run.objectives())
    assert _first(run, 1) < 8  # asked for by the first request
    assert 72 < _first(run, 6) < 85
    ready = run.samples[(run.samples["gauge"] == "replicas_ready") & (run.samples["replication"] == 0)]
    assert ready["value"].iloc[-1] == 0
    calm = lab.simulate(scenario.with_({"components.api.autoscaler.panic_threshold": 1000}), progress=False)
    change = lab.difference(run, calm).set_index(["metric", "subject"])
    assert change.loc[("sojourn_time_s_p99", "all"), "low"] > 0.5  # the mean of a minute is slow to notice
    kept = lab.simulate(scenario.with_(_SIX), progress=False)
    change = lab.difference(run, kept).set_index(["metric", "subject"])
    assert change.loc[("sojourn_time_s_p99", "all"), "high"] < -1  # nobody waits for a pod
    # In a panic the backlog asks for pods as well: it overshoots to more than four times the six that were enough.
    assert ready["value"].max() > 24
    assert change.loc[("replica_seconds", "api"), "high"] < 0
