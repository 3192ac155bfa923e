"""A replica whose event loop is too busy to answer any question: the measurement of it must not be lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from reference_backend.load.schedule import Planned, Schedule, write_schedule

pytestmark = pytest.mark.measured
ROOT = Path(__file__).resolve().parents[2]
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
    (tmp_path / "deployment.json").write_text(json.dumps(DEPLOYMENT))
    request = Planned(request=1, endpoint="health", key=1, intended_start_s=0.1, demands_s=(BUSY_S,), backoffs_s=())
    write_schedule(tmp_path / "schedule.parquet", Schedule(duration_s=0.2, requests=(request,)))
    arguments = ["--deployment", tmp_path / "deployment.json", "--schedule", tmp_path / "schedule.parquet"]
    done = subprocess.run(
        [sys.executable, "-m", "reference_backend", "run", *arguments, "--out", tmp_path / "out", "--no-pin"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    spans = pq.read_table(tmp_path / "out" / "repeat-0" / "spans.parquet").to_pylist()
    (span,) = [row for row in spans if row["component"] == "output"]
    assert (span["operation"], span["outcome"], span["abandoned"]) == ("health", "ok", True)
    assert span["service_time_s"] >= BUSY_S
