"""Figures of coming back after a spike, on requests whose fate is written down."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

import lab
from lab.errors import NotEnoughData
from lab.runs.run import Run
from lab.validation.margins import Margin, Regime, margin
from lab.validation.observation import observe
from lab.validation.recovered import recovered_ratio, recovery_time_s
from tests.unit.backends import scenario, service, waiting


def _run(outcomes: dict[float, str]) -> Run:
    """Return a run of 12 s with one request a time, and its outcome."""
    frame: dict[str, Any] = {
        "replication": [0] * len(outcomes),
        "intended_start_s": list(outcomes),
        "outcome": list(outcomes.values()),
    }
    return cast(Run, SimpleNamespace(requests=pd.DataFrame(frame), window=SimpleNamespace(end_s=12.0)))


def test_what_came_back_and_when() -> None:
    """Failures due from 3 s to 6 s, every 0.05 s: bad from the third of them to that after which 18 of 20 are good."""
    run = _run({0.05 * n: "timeout" if 60 <= n <= 120 else "ok" for n in range(240)})
    assert recovered_ratio(run) == [1.0]
    assert recovery_time_s(run) == [pytest.approx(0.05 * (137 - 62))]


def test_what_never_came_back() -> None:
    """From 3 s on nothing is good; what is in flight at the end counts for neither."""
    run = _run({0.05 * n: "ok" if n < 60 else "rejected" for n in range(230)} | {11.9: "in_flight"})
    assert recovered_ratio(run) == [0.0]
    assert recovery_time_s(run) == [pytest.approx(0.05 * (229 - 62))]


def test_without_an_outage_there_is_no_time() -> None:
    """Two failures of twenty are not yet out of order, and nothing is no number."""
    run = _run({0.05 * n: "timeout" if n in (60, 70) else "ok" for n in range(240)})
    assert math.isnan(recovery_time_s(run)[0])


def test_a_run_without_an_end_is_no_figure() -> None:
    """Nothing that was due in the last third has ended."""
    with pytest.raises(NotEnoughData, match="last third"):
        recovered_ratio(_run({1.0: "ok", 11.0: "in_flight"}))


def test_a_case_can_name_them() -> None:
    """They stand beside the usual figures, one value a repeat, with a margin."""
    ran = lab.simulate(
        scenario({"api": service(waiting("1ms"))}, run={"duration": "10s", "replications": 2}), progress=False
    )
    seen = observe(ran, ["recovered_ratio", "recovery_time_s"], only=[1])
    assert seen.figures["recovered_ratio@all"] == (1.0,)
    assert math.isnan(seen.figures["recovery_time_s@all"][0])
    assert {name: margin(name, Regime.TRANSIENT) for name in ("recovered_ratio", "recovery_time_s")} == {
        "recovered_ratio": Margin(value=0.03, kind="absolute"),
        "recovery_time_s": Margin(value=0.1, kind="relative"),
    }
