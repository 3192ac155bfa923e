"""What the lessons about Envoy show, by variants of each scenario in the same world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lab
from lab.validation.laws import broken_laws

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::lab.experiment.simulate.OverloadWarning")]

PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"


def _variant(name: str, **changes: Any) -> lab.Run:
    scenario = lab.read_scenario(PATTERNS / f"{name}.yaml")
    return lab.simulate(
        scenario.with_({key.replace("__", "."): value for key, value in changes.items()} | {"run.replications": 1}),
        progress=False,
        allow_unstable=True,
    )


def _failed(run: lab.Run) -> float:
    """The share of the requests that failed while the bad version was there."""
    sent = run.requests[run.requests["intended_start_s"].between(5, 45)]
    return float((~sent["outcome"].isin(["ok", "in_flight"])).mean())


def test_outlier_ejection() -> None:
    """One bad replica of ten draws a fifth of all requests, as it looks idle; ejected, next to nothing comes through.

    Of four bad ones the 10 % permit one to be out. With 100 % all four are, and the six others carry it; of seven, the
    three others are asked for less than half: panic, and the bad ones are asked again.
    """
    ejected = _variant("outlier_ejection")
    ignored = _variant("outlier_ejection", components__edge__outlier_detection=None)
    assert _failed(ignored) > 0.15
    assert _failed(ejected) < 0.01
    few = _variant("outlier_ejection", faults__0__replicas=4)
    assert _failed(few) > 0.25
    percent = {"components__edge__outlier_detection__max_ejection_percent": "100%"}
    all_four = _variant("outlier_ejection", faults__0__replicas=4, **percent)
    assert _failed(all_four) < 0.02
    panic = _variant("outlier_ejection", faults__0__replicas=7, **percent)
    assert _failed(panic) > 0.5
    assert "panic" in set(panic.events["kind"])
    assert broken_laws(panic) == []
