"""Faults on real servers: they strike at their times, are told, and leave a whole backend behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from reference_backend.load.schedule import Planned, Schedule

from .support import run_once

pytestmark = pytest.mark.measured


def requests(endpoint: str, times_s: list[float], *, demands_s: tuple[float, ...] = ()) -> Schedule:
    """Return one request for the same key at each time."""
    planned = [
        Planned(request=number, endpoint=endpoint, key=1, intended_start_s=at_s, demands_s=demands_s, backoffs_s=())
        for number, at_s in enumerate(times_s)
    ]
    return Schedule(requests=tuple(planned), duration_s=times_s[-1] + 0.2)


def service(**keys: Any) -> dict[str, Any]:
    """Return a service of one endpoint, ``read``."""
    return {"kind": "service", "endpoints": {"read": keys.pop("read")}, **keys}


def events(repeat: Path) -> list[dict[str, Any]]:
    """Return what happened, in order."""
    return pq.read_table(repeat / "events.parquet").to_pylist()


def reads_of_a_database(name: str, *faults: dict[str, Any], pool: int) -> dict[str, Any]:
    """Return a deployment of a service that reads a row of a database for each request."""
    return {
        "schema_version": 1,
        "name": name,
        "entry": "api",
        "parts": {
            "api": service(
                read={"demands": 1, "steps": [{"kind": "query", "database": "main", "query": "by_id", "demand": 0}]}
            ),
            "main": {"kind": "database", "pool": {"size": pool}, "queries": {"by_id": {"statement": "select"}}},
        },
        "faults": list(faults),
    }


def test_a_flushed_cache_is_empty_from_that_moment_on(tmp_path: Path) -> None:
    """The key is there until the flush, and not for the next who asks."""
    deployment = {
        "schema_version": 1,
        "name": "flushed",
        "entry": "api",
        "parts": {
            "api": service(read={"steps": [{"kind": "cached", "cache": "items"}]}),
            "items": {"kind": "cache"},
        },
        "faults": [{"kind": "flush", "at_s": 0.5, "component": "items"}],
    }
    repeat = run_once(tmp_path, deployment, requests("read", [0.1, 0.2, 0.4, 0.6, 0.7]))
    spans = [span for span in pq.read_table(repeat / "spans.parquet").to_pylist() if span["operation"] == "get"]
    assert [span["hit"] for span in spans] == [False, True, True, False, True]
    (flush,) = [event for event in events(repeat) if event["kind"] == "flush"]
    assert (flush["component"], flush["detail"]) == ("items", "{}")
    assert 0.5 <= flush["time_s"] < 0.55


def behind_haproxy(*faults: dict[str, Any], **balancer: Any) -> dict[str, Any]:
    """Return two replicas of a service that waits, behind HAProxy, and what happens to them."""
    return {
        "schema_version": 1,
        "name": "struck",
        "entry": "edge",
        "parts": {
            "edge": {
                "kind": "load_balancer",
                "algorithm": "roundrobin",
                "targets": "api",
                "health_check": {"interval_s": 0.2, "fall": 2, "rise": 1},
                **balancer,
            },
            "api": service(replicas=2, read={"demands": 1, "steps": [{"kind": "wait", "demand": 0}]}),
        },
        "faults": list(faults),
    }


def test_a_killed_replica_is_noticed_replaced_and_used_again(tmp_path: Path) -> None:
    """What it was doing ends in an error; its place is taken by another process of another number at its address."""
    crash = {"kind": "crash", "at_s": 1.0, "component": "api", "replica": 0, "restart_after_s": 1.5}
    times = [number * 0.05 for number in range(130)]
    repeat = run_once(tmp_path, behind_haproxy(crash, redispatch=True), requests("read", times, demands_s=(0.15,)))
    happened = [(event["kind"], event["detail"]) for event in events(repeat) if event["component"] in ("api", "edge")]
    assert happened == [
        ("crash", '{"replicas":[0]}'),
        ("server_down", '{"replica":0,"server":0}'),
        ("restart", '{"replaces":0,"replica":2}'),
        ("server_replaced", '{"replica":2,"server":0}'),
        ("server_up", '{"replica":2,"server":0}'),
    ]
    at = {event["kind"]: event["time_s"] for event in events(repeat)}
    assert 1.0 <= at["crash"] < 1.05
    assert 0.2 < at["server_down"] - at["crash"] < 0.6
    spans = pq.read_table(repeat / "spans.parquet").to_pylist()
    cut = [span for span in spans if span["component"] == "api" and span["outcome"] == "error"]
    assert cut
    assert all(span["replica"] == 0 and span["departure_s"] == pytest.approx(at["crash"], abs=0.05) for span in cut)
    failed = pq.read_table(repeat / "requests.parquet").to_pylist()
    assert {row["request"] for row in failed if row["outcome"] != "ok"} == {span["request"] for span in cut}
    for component in ("edge", "api"):
        used = {span["replica"] for span in spans if span["component"] == component and span["arrival_s"] > 5.5}
        assert used == {1, 2}, component


def test_a_replica_that_stands_still_goes_on_and_one_that_is_slow_recovers(tmp_path: Path) -> None:
    """Nothing fails; what came while it stood still is answered when it goes on."""
    hang = {"kind": "hang", "at_s": 0.5, "component": "api", "replica": 1, "duration_s": 0.6}
    slow = {"kind": "slow_down", "at_s": 1.5, "component": "api", "steps": "wait", "factor": 3.0, "duration_s": 0.5}
    times = [number * 0.1 for number in range(25)]
    repeat = run_once(tmp_path, behind_haproxy(hang, slow), requests("read", times, demands_s=(0.05,)))
    rows = pq.read_table(repeat / "requests.parquet").to_pylist()
    assert {row["outcome"] for row in rows} == {"ok"}
    took_s = {round(row["intended_start_s"], 1): row["end_s"] - row["intended_start_s"] for row in rows}
    assert max(took_s[at] for at in (0.5, 0.6)) > 0.45
    assert all(took_s[at] < 0.1 for at in (0.1, 0.2, 0.3, 1.3, 2.2, 2.3))
    assert all(0.15 <= took_s[at] < 0.25 for at in (1.6, 1.7, 1.8))
    kinds = [event["kind"] for event in events(repeat) if event["component"] == "api"]
    assert kinds == ["hang", "hang_over", "slow_down", "slow_down_over"]


def test_a_database_that_restarts_breaks_what_is_under_way_and_lets_nobody_in(tmp_path: Path) -> None:
    """Errors from the crash to the restart, and none after: the pool opens its connections anew."""
    crash = {"kind": "crash", "at_s": 1.0, "component": "main", "restart_after_s": 1.0}
    deployment = reads_of_a_database("restarted", crash, pool=3)
    times = [number * 0.1 + 0.05 for number in range(35)]
    repeat = run_once(tmp_path, deployment, requests("read", times, demands_s=(0.07,)))
    at = {event["kind"]: event["time_s"] for event in events(repeat) if event["component"] == "main"}
    assert 1.0 <= at["crash"] < 1.05
    assert 1.7 < at["restart"] < 2.4
    failed = [
        row["request"] for row in pq.read_table(repeat / "requests.parquet").to_pylist() if row["outcome"] != "ok"
    ]
    during = [number for number, time_s in enumerate(times) if at["crash"] - 0.07 < time_s < at["restart"] - 0.05]
    assert set(during) <= set(failed)
    # Those idle in the pool are found broken by the first who uses one of them, perhaps by two at once.
    assert len(failed) <= len(during) + 3


def test_a_database_that_cannot_be_reached_holds_who_asks_and_one_far_away_delays_them(tmp_path: Path) -> None:
    """Cut from 1.0 to 1.8 s: who asks then is answered at its end; 50 ms further away, each way, from 2.5 to 3.1 s."""
    between = ["api", "main"]
    cut = {"kind": "partition", "at_s": 1.0, "between": between, "duration_s": 0.8}
    slow = {"kind": "slow_link", "at_s": 2.5, "between": between, "delay_s": 0.05, "duration_s": 0.6}
    deployment = reads_of_a_database("cut_off", cut, slow, pool=12)
    times = [number * 0.1 + 0.05 for number in range(35)]
    repeat = run_once(tmp_path, deployment, requests("read", times, demands_s=(0.02,)))
    at = {event["kind"]: event["time_s"] for event in events(repeat) if event["component"] == "api"}
    assert list(at) == ["partition", "partition_over", "slow_link", "slow_link_over"]
    assert 1.0 <= at["partition"] < 1.03
    assert 1.8 <= at["partition_over"] < 1.85
    rows = pq.read_table(repeat / "requests.parquet").to_pylist()
    assert {row["outcome"] for row in rows} == {"ok"}
    for row in rows:
        took_s, sent_s = row["end_s"] - row["intended_start_s"], row["intended_start_s"]
        if 1.03 < sent_s < 1.8:
            assert at["partition_over"] <= row["end_s"] < at["partition_over"] + 0.2
        elif 2.53 < sent_s < 3.0:
            assert 0.12 <= took_s < 0.17  # both ways
        elif not (1.8 <= sent_s < 2.0 or 3.0 <= sent_s < 3.1):
            assert took_s < 0.1
