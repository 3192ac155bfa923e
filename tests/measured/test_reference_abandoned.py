"""What becomes of requests whose clients gave up while they still stood in the load balancer's queue."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from reference_backend.load.schedule import Planned, Schedule
from tests.measured.support import run_once

pytestmark = pytest.mark.measured
DEPLOYMENT = {
    "schema_version": 1,
    "name": "abandoned",
    "entry": "edge",
    "client": {"timeout_s": 0.2, "attempts": 1},
    "parts": {
        "edge": {
            "kind": "load_balancer",
            "algorithm": "random",
            "targets": "api",
            "max_connections_per_server": 1,
            "queue_timeout_s": 5.0,
            "server_timeout_s": None,
        },
        "api": {
            "kind": "service",
            "endpoints": {"slow": {"demands": 1, "steps": [{"kind": "wait", "demand": 0}]}},
        },
    },
}


@pytest.fixture(scope="module")
def repeat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Send four requests of 0.4 s at once to one slot; every client waits for 0.2 s only."""
    folder = tmp_path_factory.mktemp("abandoned")
    requests = tuple(
        Planned(request=n, endpoint="slow", key=1, intended_start_s=0.2, demands_s=(0.4,), backoffs_s=())
        for n in range(4)
    )
    return run_once(folder, DEPLOYMENT, Schedule(duration_s=0.5, requests=requests))


def test_queued_requests_outlive_their_clients(repeat: Path) -> None:
    """All four run, one after another, although no client waits for any of them: abandoned work makes retry storms."""
    assert {row["outcome"] for row in pq.read_table(repeat / "requests.parquet").to_pylist()} == {"timeout"}
    spans = pq.read_table(repeat / "spans.parquet").to_pylist()
    served = sorted((row for row in spans if row["component"] == "api"), key=lambda row: row["arrival_s"])
    assert [(row["outcome"], row["abandoned"]) for row in served] == [("ok", True)] * 4
    assert all(later["arrival_s"] >= sooner["departure_s"] - 0.01 for sooner, later in pairwise(served))


def test_load_balancer_logs_what_nobody_waited_for(repeat: Path) -> None:
    """Each of them has its line at the load balancer, with its wait; the last stood in the queue for three services."""
    spans = pq.read_table(repeat / "spans.parquet").to_pylist()
    balanced = [row for row in spans if row["component"] == "edge"]
    assert len(balanced) == 4
    assert all(row["abandoned"] is True for row in balanced)
    waits = sorted(row["waiting_time_s"] for row in balanced)
    assert waits[-1] == pytest.approx(1.2, abs=0.15)
