"""A replica whose event loop is too busy to answer any question: the measurement of it must not be lost."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from reference_backend.load.schedule import Planned, Schedule
from tests.measured.support import run_once

pytestmark = pytest.mark.measured
BUSY_S = 8.0
DEPLOYMENT = {
    "schema_version": 1,
    "name": "saturated",
    "entry": "output",
    "client": {"timeout_s": 0.3, "attempts": 1},
    # The names are those of paths and files of the backend's own, which must not matter.
    "parts": {
        "output": {
            "kind": "service",
            "endpoints": {
                "health": {
                    "demands": 1,
                    "steps": [{"kind": "cached", "cache": "parts"}, {"kind": "cpu", "demand": 0}],
                }
            },
        },
        "parts": {"kind": "cache"},
    },
}


def test_busy_loop_does_not_lose_the_run(tmp_path: Path) -> None:
    """One request keeps the loop for 8 s, long after its client has gone; the drain waits, and it is recorded."""
    request = Planned(request=1, endpoint="health", key=1, intended_start_s=0.1, demands_s=(BUSY_S,), backoffs_s=())
    repeat = run_once(tmp_path, DEPLOYMENT, Schedule(duration_s=0.2, requests=(request,)))
    spans = pq.read_table(repeat / "spans.parquet").to_pylist()
    (span,) = [row for row in spans if row["component"] == "output"]
    assert (span["operation"], span["outcome"], span["abandoned"]) == ("health", "ok", True)
    assert span["service_time_s"] >= BUSY_S
