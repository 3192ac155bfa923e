"""A service that is called directly: what happens when it has neither a slot nor room to wait."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from reference_backend.load.schedule import Planned, Schedule
from tests.measured.support import run_once

pytestmark = pytest.mark.measured
DEPLOYMENT = {
    "schema_version": 1,
    "name": "overflow",
    "entry": "api",
    "client": {"timeout_s": 2.0, "attempts": 1},
    "parts": {
        "api": {
            "kind": "service",
            "concurrency": 2,
            "backlog": 3,
            "endpoints": {
                "slow": {"demands": 1, "steps": [{"kind": "wait", "demand": 0}]},
                "ask": {"demands": 1, "steps": [{"kind": "query", "database": "main", "query": "read", "demand": 0}]},
            },
        },
        "main": {
            "kind": "database",
            "pool": {"size": 1, "timeout_s": 0.2},
            "rows": 10,
            "queries": {"read": {"statement": "select"}},
        },
    },
}


@pytest.fixture(scope="module")
def repeat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Send nine slow requests at once, then two queries at once to a pool of one connection.

    The caller's own settings must not matter: those for databases of theirs, and those for Locust in their home.
    """
    folder = tmp_path_factory.mktemp("overflow")
    (folder / ".locust.conf").write_text("run-time = 1\n")
    settings = {"HOME": str(folder), "PGSSLMODE": "require", "PGTARGETSESSIONATTRS": "standby", "LOCUST_RUN_TIME": "1"}
    slow = [
        Planned(request=n, endpoint="slow", key=1, intended_start_s=0.2, demands_s=(0.3,), backoffs_s=())
        for n in range(9)
    ]
    ask = [
        Planned(request=20 + n, endpoint="ask", key=1, intended_start_s=1.5, demands_s=(0.5,), backoffs_s=())
        for n in range(2)
    ]
    return run_once(folder, DEPLOYMENT, Schedule(duration_s=2.5, requests=(*slow, *ask)), settings=settings)


def test_what_finds_no_place_is_refused_at_once(repeat: Path) -> None:
    """Two are served, three wait, four get a 503 without delay."""
    attempts = [row for row in pq.read_table(repeat / "attempts.parquet").to_pylist() if row["request"] < 20]
    refused = [row for row in attempts if row["outcome"] == "rejected"]
    assert len(refused) == 4
    assert all(row["status"] == 503 and row["end_s"] - row["start_s"] < 0.2 for row in refused)
    spans = [row for row in pq.read_table(repeat / "spans.parquet").to_pylist() if row["operation"] == "slow"]
    assert sorted(row["outcome"] for row in spans) == ["ok"] * 5 + ["rejected"] * 4
    waits = sorted(row["waiting_time_s"] for row in spans if row["outcome"] == "ok")
    assert waits[1] < 0.1
    assert all(0.2 < wait < 0.45 for wait in waits[2:4])
    assert 0.5 < waits[4] < 0.8


def test_waiting_is_first_come_first_served(repeat: Path) -> None:
    """Those who wait for a slot get it in the order in which they came."""
    spans = [
        row
        for row in pq.read_table(repeat / "spans.parquet").to_pylist()
        if row["operation"] == "slow" and row["outcome"] == "ok"
    ]
    by_arrival = sorted(spans, key=lambda row: row["arrival_s"])
    assert [row["admitted_s"] for row in by_arrival] == sorted(row["admitted_s"] for row in spans)


def test_pool_timeout_is_an_error(repeat: Path) -> None:
    """The second query gets no connection within the pool's timeout: status 500, and a span that was never admitted."""
    attempts = {row["request"]: row for row in pq.read_table(repeat / "attempts.parquet").to_pylist()}
    assert sorted(str(attempts[n]["status"]) for n in (20, 21)) == ["200", "500"]
    spans = [row for row in pq.read_table(repeat / "spans.parquet").to_pylist() if row["component"] == "main"]
    assert sorted(row["outcome"] for row in spans) == ["ok", "timeout"]
    given_up = next(row for row in spans if row["outcome"] == "timeout")
    assert given_up["admitted_s"] != given_up["admitted_s"], "NaN: it never got a connection"
    assert given_up["departure_s"] - given_up["arrival_s"] == pytest.approx(0.2, abs=0.1)
