"""What the lessons about nginx show, by variants of each scenario in the same world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lab
from lab.validation.laws import broken_laws

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::lab.experiment.simulate.OverloadWarning")]

PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"


def _variant(name: str, **edge: Any) -> lab.Run:
    scenario = lab.read_scenario(PATTERNS / f"{name}.yaml")
    changes = {f"components.edge.{key}": value for key, value in edge.items()} | {"run.replications": 2}
    return lab.simulate(scenario.with_(changes), progress=False, allow_unstable=True)


def _failed(run: lab.Run) -> float:
    """The share of the quick requests that failed."""
    quick = run.requests[(run.requests["endpoint"] == "get") & (run.requests["outcome"] != "in_flight")]
    return float((quick["outcome"] != "ok").mean())


def test_slow_requests_take_servers_out() -> None:
    """Each export visits one replica after the other and takes it out; when all are out, quick requests get 502 too.

    Not trying timeouts elsewhere leaves most replicas in, counting no failures all of them, and patience ends it.
    """
    as_it_is = _variant("slow_requests_take_servers_out")
    one_each = _variant("slow_requests_take_servers_out", next_upstream=["error"])
    uncounted = _variant("slow_requests_take_servers_out", max_fails=0)
    patient = _variant("slow_requests_take_servers_out", read_timeout="4s")
    assert _failed(as_it_is) > 0.2
    assert 0.02 < _failed(one_each) < 0.6 * _failed(as_it_is)
    assert _failed(uncounted) == _failed(patient) == 0.0
    exports = patient.requests[patient.requests["endpoint"] == "export"]
    assert set(exports["outcome"]) <= {"ok", "in_flight"}
    assert broken_laws(as_it_is) == []
