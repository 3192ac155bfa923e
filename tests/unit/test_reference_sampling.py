"""Gauges of processes that come and go while they are sampled."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reference_backend import cpu, sampling


def running(pid: int, replica: int) -> SimpleNamespace:
    """Return a process of the service as the sampler sees it."""
    return SimpleNamespace(component="api", replica=replica, child=SimpleNamespace(pid=pid))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """CPU times and politeness of processes, by their id, in the hands of the test."""
    state: dict[str, Any] = {"used": {}, "yields": set()}
    monkeypatch.setattr(cpu, "used_s", lambda pids: sum(state["used"].get(pid, 0.0) for pid in pids))
    monkeypatch.setattr(cpu, "yields", lambda pid: pid in state["yields"])
    monkeypatch.setattr(cpu, "family", lambda pid: (pid,))
    ticks = count()  # the kernel's own are too coarse for a test that takes no time
    monkeypatch.setattr(cpu, "host_ratio_counters", lambda: (float(next(ticks)), 2.0 * next(ticks)))
    return state


def test_a_replica_that_boots_politely_is_not_counted_as_load(world: dict[str, Any], tmp_path: Path) -> None:
    """Its CPU time is a gauge of its own until it stops yielding; a process that ends just has no more rows."""
    old, new = running(10, 0), running(11, 1)
    parts = SimpleNamespace(running=[old], caches={}, queues={})
    backend: Any = SimpleNamespace(deployment=SimpleNamespace(proxies=dict), parts=parts, control=Path("h"))
    sampler = sampling.Sampler(backend=backend, supervisor_pid=1)
    world["used"] = {10: 5.0}
    sampler.sample(100.0, 100.0)
    parts.running, world["used"], world["yields"] = [old, new], {10: 5.2, 11: 0.9}, {11}
    sampler.sample(101.0, 100.0)
    world["used"], world["yields"] = {10: 5.4, 11: 1.0}, set()
    sampler.sample(102.0, 100.0)
    parts.running, world["used"] = [new], {11: 1.5}
    sampler.sample(103.0, 100.0)
    sampler.write(tmp_path)
    rows = sampling.pq.read_table(tmp_path / "samples.parquet").to_pylist()
    seen = {(row["time_s"], row["replica"], row["gauge"]): row["value"] for row in rows if row["component"] == "api"}
    assert seen == pytest.approx(
        {
            (1.0, 0, "cpu_ratio"): 0.2,
            (1.0, 1, "boot_cpu_ratio"): 0.9,
            (2.0, 0, "cpu_ratio"): 0.2,
            (2.0, 1, "boot_cpu_ratio"): 0.1,
            (3.0, 1, "cpu_ratio"): 0.5,
        }
    )
    assert sampler.cpu_ratios()["api/1"] == pytest.approx(0.5)


def test_the_supervisors_children_are_counted_once(world: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """They are the parts, each with a row of its own; only a part's own children belong to it."""
    children = {1: (1, 10, 20), 10: (10, 12)}  # 20: the generator
    monkeypatch.setattr(cpu, "family", lambda pid: children[pid])
    parts = SimpleNamespace(running=[running(10, 0)], caches={}, queues={})
    backend: Any = SimpleNamespace(deployment=SimpleNamespace(proxies=dict), parts=parts, control=Path("h"))
    sampler = sampling.Sampler(backend=backend, supervisor_pid=1)
    sampler.sample(100.0, 100.0)
    world["used"] = {1: 0.1, 10: 0.3, 12: 0.2, 20: 0.4}
    sampler.sample(101.0, 100.0)
    ratios = sampler.cpu_ratios()
    assert (ratios["supervisor/0"], ratios["api/0"]) == (pytest.approx(0.1), pytest.approx(0.5))
