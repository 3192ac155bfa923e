"""Caches on real servers: they hold what they should to a percent, and are protected from stampedes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from reference_backend.load.schedule import Planned, Schedule

from .support import run_once

pytestmark = pytest.mark.measured


def deployment(cache: dict[str, Any]) -> dict[str, Any]:
    """Return two replicas behind a load balancer; a miss takes as long as the request's demand."""
    steps = [{"kind": "cached", "cache": "items", "miss": [{"kind": "wait", "demand": 0}]}]
    return {
        "schema_version": 1,
        "name": "cached",
        "entry": "edge",
        "parts": {
            "edge": {"kind": "load_balancer", "algorithm": "roundrobin", "targets": "api"},
            "api": {"kind": "service", "replicas": 2, "endpoints": {"read": {"demands": 1, "steps": steps}}},
            "items": {"kind": "cache", **cache},
        },
    }


def schedule(times_s: list[float], keys: list[int], *, demand_s: float, duration_s: float) -> Schedule:
    """Return a request at each time, for these keys, all of one demand."""
    planned = [
        Planned(request=n, endpoint="read", key=key, intended_start_s=at_s, demands_s=(demand_s,), backoffs_s=())
        for n, (at_s, key) in enumerate(zip(times_s, keys, strict=True))
    ]
    return Schedule(requests=tuple(planned), duration_s=duration_s)


def operations(repeat: Path) -> dict[str, int]:
    """Return how often each operation was done at the cache."""
    rows = [span for span in pq.read_table(repeat / "spans.parquet").to_pylist() if span["component"] == "items"]
    return {name: sum(row["operation"] == name for row in rows) for name in {row["operation"] for row in rows}}


def test_one_over_all_replicas_works_under_a_lock(tmp_path: Path) -> None:
    """Six requests at both replicas while the first one works: one write, and everybody is served."""
    lock = {"kind": "lock", "poll_s": 0.05, "lock_timeout_s": 5.0}
    times_s = [0.1 + 0.01 * n for n in range(6)]
    sent = schedule(times_s, [7] * 6, demand_s=0.3, duration_s=0.8)
    repeat = run_once(tmp_path, deployment({"stampede_protection": lock}), sent)
    found = operations(repeat)
    assert (found["get"], found["set"], found["lock"], found["unlock"]) == (6, 1, 6, 1)
    assert found["poll"] >= 5
    outcomes = pq.read_table(repeat / "requests.parquet").column("outcome").to_pylist()
    assert outcomes == ["ok"] * 6


def test_a_cache_holds_its_capacity_to_a_percent_under_lfu_too(tmp_path: Path) -> None:
    """Far more keys than fit are stored while it is watched; the limit was found in memory, not in entries."""
    count = 360
    sent = schedule([0.2 + 0.01 * n for n in range(count)], list(range(count)), demand_s=0.0, duration_s=4.2)
    cache = {"capacity_entries": 150, "eviction": "allkeys-lfu", "value_bytes": 512}
    repeat = run_once(tmp_path, deployment(cache), sent)
    samples = pq.read_table(repeat / "samples.parquet").to_pylist()
    held = [row["value"] for row in samples if row["gauge"] == "entries" and row["time_s"] > 2.5]
    assert held
    assert all(abs(entries - 150) <= 2 for entries in held), held


def test_an_edge_cache_serves_what_it_has_until_it_is_flushed_or_too_old(tmp_path: Path) -> None:
    """HAProxy tells its hits; a repeat begins empty, though the warm-up asked for the same key; other paths pass."""
    steps = [{"kind": "wait", "demand": 0}]
    endpoints = {name: {"demands": 1, "steps": steps, "answer_bytes": 3000} for name in ("read", "other")}
    parts = {
        "edge": {"kind": "edge_cache", "targets": "api", "max_age_s": {"read": 2}},
        "api": {"kind": "service", "endpoints": endpoints},
    }
    flush = {"kind": "flush", "at_s": 0.5, "component": "edge"}
    whole = {"schema_version": 1, "name": "edge", "entry": "edge", "parts": parts, "faults": [flush]}
    times_s = [0.1, 0.3, 0.7, 0.9, 3.0]
    reads = schedule(times_s, [1] * 5, demand_s=0.01, duration_s=3.2)
    other = Planned(request=9, endpoint="other", key=1, intended_start_s=1.0, demands_s=(0.01,), backoffs_s=())
    planned = tuple(sorted((*reads.requests, other), key=lambda each: each.intended_start_s))
    repeat = run_once(tmp_path, whole, Schedule(requests=planned, duration_s=3.2))
    spans = pq.read_table(repeat / "spans.parquet").to_pylist()
    edge = sorted((span for span in spans if span["component"] == "edge"), key=lambda span: span["arrival_s"])
    assert [span["hit"] for span in edge] == [False, True, False, True, None, False]
    assert sum(span["component"] == "api" for span in spans) == 4
