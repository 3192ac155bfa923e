"""Figures of coming back after a spike, on requests whose fate is written down."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

from lab.errors import NotEnoughData
from lab.runs.run import Run
from lab.validation.recovered import outage_time_s, recovered_ratio


def _run(outcomes: dict[float, str]) -> Run:
    """Return a run of 12 s with one request a time, and its outcome."""
    frame: dict[str, Any] = {
        "replication": [0] * len(outcomes),
        "intended_start_s": list(outcomes),
        "outcome": list(outcomes.values()),
    }
    return cast(Run, SimpleNamespace(requests=pd.DataFrame(frame), window=SimpleNamespace(end_s=12.0)))


def test_what_came_back_and_when() -> None:
    """Failures from 3 s to 6 s: all of the last third is good, and the outage has thirteen quarters of a second."""
    run = _run({0.25 * n: "timeout" if 3.0 <= 0.25 * n <= 6.0 else "ok" for n in range(48)})
    assert recovered_ratio(run) == [1.0]
    assert outage_time_s(run) == [3.25]


def test_what_never_came_back() -> None:
    """From 3 s on nothing is good; what is in flight at the end counts for neither."""
    run = _run({0.25 * n: "ok" if n < 12 else "rejected" for n in range(46)} | {11.9: "in_flight"})
    assert recovered_ratio(run) == [0.0]
    assert outage_time_s(run) == [8.5]


def test_no_outage_lasts_no_time() -> None:
    """Nothing failed."""
    assert outage_time_s(_run({1.0: "ok", 11.0: "ok"})) == [0.0]


def test_a_run_without_an_end_is_no_figure() -> None:
    """Nothing that was due in the last third has ended."""
    with pytest.raises(NotEnoughData, match="last third"):
        recovered_ratio(_run({1.0: "ok", 11.0: "in_flight"}))
