"""What the lesson about zones shows, by variants of its scenario in the same world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lab
from lab.validation.laws import broken_laws

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::lab.experiment.simulate.OverloadWarning")]

PATTERN = Path(__file__).parents[2] / "scenarios" / "patterns" / "zone_loss.yaml"


def _variant(**changes: Any) -> lab.Run:
    scenario = lab.read_scenario(PATTERN)
    changes = {key.replace("__", "."): value for key, value in changes.items()}
    return lab.simulate(scenario.with_(changes | {"run.replications": 1}), progress=False, allow_unstable=True)


def _refused(run: lab.Run, since_s: float, until_s: float) -> float:
    """The share of the requests sent in this time that the balancer refused."""
    sent = run.requests[run.requests["intended_start_s"].between(since_s, until_s)]
    return float((sent["outcome"] == "rejected").mean())


def test_zone_loss() -> None:
    """Two thirds of 600 a second are 400, for 450: at least a ninth is refused, after waits, until the zone is back.

    Nine replicas have 600 a second left of 900, and nobody is refused but until two checks have failed. Over two zones
    instead of three they lose four, and have 500 left.
    """
    short = _variant()
    assert 0.08 < _refused(short, 14, 24.9) < 0.2
    assert _refused(short, 0, 9.9) == 0.0
    assert _refused(short, 33, 40) < 0.01
    spare = _variant(components__api__replicas=9)
    assert _refused(spare, 10, 12) < 0.1
    assert _refused(spare, 12.1, 40) == 0.0
    assert spare.value("sojourn_time_s_p99") < 0.15 < short.value("sojourn_time_s_p99")
    two_zones = _variant(components__api__replicas=9, components__api__zones=["a", "b"], workload__arrival_rate="530/s")
    assert _refused(two_zones, 14, 24.9) > 0.01
    assert broken_laws(short) == []
