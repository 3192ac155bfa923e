"""Real workers on real streams: what comes back, what dies, what finds no room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from reference_backend.load.schedule import Planned, Schedule
from tests.measured.support import run_once

pytestmark = pytest.mark.measured

_WAIT = [{"kind": "wait", "demand": 0}]


def _publish(queue: str, demands: int) -> dict[str, Any]:
    step = {"kind": "publish", "queue": queue, "demands_from": 0, "demands": demands}
    return {"demands": demands, "method": "POST", "steps": [step]}


def _queue(**keys: Any) -> dict[str, Any]:
    return {"kind": "queue", "consumer": "worker", "endpoint": "work", "max_attempts": 1} | keys


DEPLOYMENT = {
    "schema_version": 1,
    "name": "queues",
    "entry": "api",
    "client": {"timeout_s": 5.0, "attempts": 1},
    "parts": {
        "api": {
            "kind": "service",
            "endpoints": {"twice": _publish("jobs", 2), "reject": _publish("small", 1), "drop": _publish("fresh", 1)},
        },
        "worker": {"kind": "service", "replicas": 2, "endpoints": {"work": {"demands": 1, "steps": _WAIT}}},
        "jobs": _queue(max_attempts=2, visibility_timeout_s=0.4, prefetch=4),
        "small": _queue(capacity=1, overflow="reject"),
        "fresh": _queue(capacity=1, overflow="drop_head"),
    },
}


@pytest.fixture(scope="module")
def repeat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three jobs (quick; slow once; slow twice), then five to either of two small queues of two consumers."""

    def planned(number: int, endpoint: str, at_s: float, *demands_s: float) -> Planned:
        return Planned(
            request=number, endpoint=endpoint, key=number, intended_start_s=at_s, demands_s=demands_s, backoffs_s=()
        )

    jobs = [(0.05, 0.05), (1.0, 0.1), (1.2, 1.2)]
    requests = [planned(number, "twice", 0.2 + number / 10, *demands_s) for number, demands_s in enumerate(jobs)]
    for number in range(5):
        requests.append(planned(10 + number, "reject", 2.0 + number / 10, 0.9))
        requests.append(planned(20 + number, "drop", 2.05 + number / 10, 0.9))
    return run_once(tmp_path_factory.mktemp("queues"), DEPLOYMENT, Schedule(duration_s=4.5, requests=tuple(requests)))


def _rows(repeat: Path, component: str) -> dict[int, list[dict[str, Any]]]:
    rows: dict[int, list[dict[str, Any]]] = {}
    for row in pq.read_table(repeat / "spans.parquet").to_pylist():
        if row["component"] == component:
            rows.setdefault(row["request"], []).append(row)
    return rows


def _events(repeat: Path, component: str) -> list[str]:
    return [
        row["kind"] for row in pq.read_table(repeat / "events.parquet").to_pylist() if row["component"] == component
    ]


def test_a_message_that_is_not_acknowledged_comes_again_and_dies_in_the_end(repeat: Path) -> None:
    """The first is done once, the second redelivered and done, the third a dead letter after two deliveries."""
    stays = _rows(repeat, "jobs")
    assert [[row["outcome"] for row in stays[number]] for number in range(3)] == [
        ["ok"],
        ["timeout", "ok"],
        ["timeout", "timeout"],
    ]
    events = _events(repeat, "jobs")
    assert (events.count("redelivery"), events.count("dead_letter"), events.count("processed_again")) == (2, 1, 3)
    came_back = stays[1][1]
    assert came_back["arrival_s"] - stays[1][0]["admitted_s"] == pytest.approx(0.4, abs=0.1)
    assert all(row["background"] for rows in (stays, _rows(repeat, "worker")) for each in rows.values() for row in each)


def test_a_message_carries_the_work_of_each_delivery(repeat: Path) -> None:
    """The second message's deliveries take 1.0 and 0.1 s."""
    worked = sorted(row["service_time_s"] for row in _rows(repeat, "worker")[1])
    assert worked == [pytest.approx(0.1, abs=0.05), pytest.approx(1.0, abs=0.05)]


def test_a_full_queue_rejects_the_newest_or_drops_the_oldest(repeat: Path) -> None:
    """Two are worked on and one may wait: of five the last two are refused, or the third and fourth are dropped."""
    outcomes = {row["request"]: row["status"] for row in pq.read_table(repeat / "attempts.parquet").to_pylist()}
    assert [outcomes[10 + number] for number in range(5)] == [200, 200, 200, 500, 500]
    assert sorted(_rows(repeat, "small")) == [10, 11, 12]
    assert [outcomes[20 + number] for number in range(5)] == [200] * 5
    fates = {number: rows[0]["outcome"] for number, rows in _rows(repeat, "fresh").items()}
    assert fates == {20: "ok", 21: "ok", 22: "rejected", 23: "rejected", 24: "ok"}
    assert _events(repeat, "fresh") == ["dropped", "dropped"]
