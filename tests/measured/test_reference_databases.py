"""A ledger in serialisable transactions and a streaming replica, on real servers."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from reference_backend.load.schedule import Planned, Schedule
from tests.measured.support import run_once

pytestmark = [pytest.mark.measured, pytest.mark.slow]

LAG_S = 0.2
DEPLOYMENT = {
    "schema_version": 1,
    "name": "ledger",
    "entry": "api",
    "parts": {
        "api": {
            "kind": "service",
            "endpoints": {
                "transfer": {
                    "method": "POST",
                    "demands": 1,
                    "steps": [
                        {
                            "kind": "transaction",
                            "database": "ledger",
                            "backoffs_s": [0.0] * 5,
                            "steps": [
                                {"kind": "query", "database": "ledger", "query": "debit", "demand": 0},
                                {"kind": "wait", "demand": 0},
                                {"kind": "query", "database": "ledger", "query": "book", "demand": 0},
                            ],
                        }
                    ],
                },
                "write": {
                    "method": "POST",
                    "demands": 1,
                    "steps": [{"kind": "query", "database": "main", "query": "put", "demand": 0}],
                },
                "read": {
                    "demands": 1,
                    "steps": [{"kind": "query", "database": "main", "query": "get", "demand": 0}],
                },
            },
        },
        "ledger": {
            "kind": "database",
            "pool": {"size": 4},
            "rows": 1000,
            "isolation": "serializable",
            "queries": {
                "debit": {"statement": "update", "real": "ledger_debit"},
                "book": {"statement": "insert", "real": "ledger_book"},
            },
        },
        "main": {
            "kind": "database",
            "pool": {"size": 2},
            "rows": 1000,
            "replicas": 1,
            "replication_lag_s": LAG_S,
            "read_policy": "replicas",
            "queries": {"get": {"statement": "select"}, "put": {"statement": "insert"}},
        },
    },
}


def test_conflicts_are_tried_again_and_a_replica_is_behind(tmp_path: Path) -> None:
    """Two transfers from one account at once: one meets SQLSTATE 40001. A key is stale on the replica for its lag."""
    at = [
        ("transfer", 7, 0.5),
        ("transfer", 7, 0.55),  # the first holds the account for 0.2 s
        ("transfer", 8, 0.55),
        ("read", 3, 0.9),
        ("write", 3, 1.0),
        ("read", 3, 1.0 + LAG_S / 2),
        ("read", 4, 1.0 + LAG_S / 2),
        ("read", 3, 1.0 + 3 * LAG_S),
    ]
    planned = tuple(
        Planned(
            request=number,
            endpoint=endpoint,
            key=key,
            intended_start_s=start_s,
            demands_s=(0.2 if endpoint == "transfer" else 0.01,),
            backoffs_s=(),
        )
        for number, (endpoint, key, start_s) in enumerate(at)
    )
    folder = run_once(tmp_path, DEPLOYMENT, Schedule(requests=planned, duration_s=2.5))
    requests = pq.read_table(folder / "requests.parquet").to_pylist()
    assert [request["outcome"] for request in requests] == ["ok"] * len(at)
    spans = pq.read_table(folder / "spans.parquet").to_pylist()
    tried = {
        number: [s["outcome"] for s in spans if (s["request"], s["component"]) == (number, "ledger")]
        for number in (0, 1, 2)
    }
    assert tried == {0: ["ok"], 1: ["error", "ok"], 2: ["ok"]}
    stale = {s["request"]: s["stale"] for s in spans if s["component"] == "main.server" and s["operation"] == "get"}
    assert stale == {3: False, 5: True, 6: False, 7: False}
    assert {s["component"] for s in spans if s["operation"] == "get"} == {"main.replica_1", "main.server"}
