"""Real limits: what Valkey and HAProxy let pass, what a login leaves behind, and whom a replica sheds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from reference_backend.load.schedule import Planned, Schedule
from tests.measured.support import run_once

pytestmark = pytest.mark.measured

_LOGIN = {
    "demands": 2,
    "steps": [
        {"kind": "thread", "steps": [{"kind": "cpu", "demand": 0, "work": "argon2id"}]},
        {"kind": "cpu", "demand": 1, "work": "jwt"},
    ],
}
_EDGE = {"kind": "load_balancer", "algorithm": "roundrobin", "targets": "api"}
_LIMIT = {"kind": "rate_limiter", "targets": "edge", "limit": 4, "window_s": 2, "burst": 4}


def _run(folder: Path, limit: dict[str, Any], *, requests: int) -> tuple[list[str], list[dict[str, Any]]]:
    """Send a login every 50 ms, keys 0 and 1 in turn; return the outcomes in order, and the spans."""
    deployment = {
        "schema_version": 1,
        "name": "limited",
        "entry": "limit",
        "client": {"timeout_s": 5.0, "attempts": 1},
        "parts": {
            "limit": _LIMIT | limit,
            "edge": _EDGE,
            "api": {"kind": "service", "replicas": 2, "endpoints": {"login": _LOGIN}},
        },
    }
    planned = tuple(
        Planned(
            request=number, endpoint="login", key=number % 2, intended_start_s=0.05 * number, demands_s=(0.0, 0.0),
            backoffs_s=(),
        )
        for number in range(requests)
    )  # fmt: skip
    repeat = run_once(folder, deployment, Schedule(duration_s=0.05 * requests, requests=planned))
    rows = pq.read_table(repeat / "requests.parquet").to_pylist()
    outcomes = [row["outcome"] for row in sorted(rows, key=lambda row: row["request"])]
    return outcomes, pq.read_table(repeat / "spans.parquet").to_pylist()


def test_valkey_counts_for_all_replicas(tmp_path: Path) -> None:
    """Four of each account pass in two seconds, whichever replica they come to; each login leaves rows of its work."""
    outcomes, spans = _run(tmp_path, {"algorithm": "fixed_window", "scope": "per_key"}, requests=20)
    assert outcomes == ["ok"] * 8 + ["rejected"] * 12
    seen = Counter((span["component"], span["operation"], span["outcome"]) for span in spans)
    assert seen["limit", "login", "ok"] == seen["api", "login", "ok"] == 8
    assert seen["limit", "login", "rejected"] == seen["edge", "login", "rejected"] == 12
    assert seen["api.work", "login.0.steps.0", "ok"] == seen["api.work", "login.1", "ok"] == 8
    argon = [span["service_time_s"] for span in spans if span["operation"] == "login.0.steps.0"]
    token = [span["service_time_s"] for span in spans if span["operation"] == "login.1"]
    assert min(argon) > 10 * max(0.0, min(token)) > 0.0


def test_haproxy_counts_in_its_stick_table(tmp_path: Path) -> None:
    """Four pass in the first two seconds; those turned away come no further than HAProxy and do not count."""
    counted = {"algorithm": "sliding_window_counter", "counted_in": "haproxy"}
    outcomes, spans = _run(tmp_path, counted, requests=20)
    assert outcomes == ["ok"] * 4 + ["rejected"] * 16
    seen = Counter((span["component"], span["outcome"]) for span in spans)
    assert (seen["limit", "ok"], seen["limit", "rejected"]) == (4, 16)
    assert (seen["edge", "ok"], seen["edge", "rejected"]) == (4, 0)
