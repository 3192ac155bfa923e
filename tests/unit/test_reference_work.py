"""The work that a replica does, and the rules by which requests reach it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from reference_backend import cpu
from reference_backend.limit import ConcurrencyLimit
from reference_backend.spans import SpanWriter, Trace
from reference_backend.steps import BadDemands, read_demands, write_demands
from reference_backend.tables import sleep_argument
from reference_backend.work import PreciseSleep, burn


@pytest.mark.parametrize("demand_s", [0.0, 0.002, 0.02])
def test_burn_uses_the_cpu_time_it_was_asked_for(demand_s: float) -> None:
    """CPU time of the thread grows by the demand, and by no more than a few rounds beyond it."""
    before = time.thread_time()
    burn(demand_s)
    used = time.thread_time() - before
    assert demand_s <= used < demand_s + 0.002


def test_sleepers_wake_in_order_and_never_early() -> None:
    """Whoever asked for less wakes first. How late they wake is the machine's business, and the measurements'."""

    async def sleepers() -> list[tuple[float, float]]:
        sleep = PreciseSleep()
        woken: list[tuple[float, float]] = []

        async def one(seconds: float) -> None:
            since = time.monotonic()
            await sleep.sleep(seconds)
            woken.append((seconds, time.monotonic() - since))

        await asyncio.gather(*(one(seconds) for seconds in (0.0203, 0.0052, 0.0107, 0.0001, 0.0)))
        sleep.close()
        return woken

    woken = asyncio.run(sleepers())
    assert [asked for asked, _ in woken] == [0.0, 0.0001, 0.0052, 0.0107, 0.0203]
    assert all(took >= asked for asked, took in woken)


@pytest.mark.parametrize(
    ("demand_s", "asked_s"), [(0.0, 0.0), (0.0004, 0.0), (0.0006, 0.0005), (0.010, 0.0095), (0.0104, 0.0095)]
)
def test_pg_sleep_is_asked_for_the_nearest_millisecond(demand_s: float, asked_s: float) -> None:
    """PostgreSQL rounds up to whole milliseconds; half a millisecond less ends on the nearest one."""
    assert sleep_argument(demand_s) == pytest.approx(asked_s)


def test_demands_survive_the_header() -> None:
    """What is written is read back to the last bit."""
    demands = (0.1 + 0.2, 1e-9, 0.0, 12.5)
    assert read_demands(write_demands(demands), 4) == demands


def test_no_header_means_no_demand() -> None:
    """A request without the header (the warm-up's) runs demands of zero; an empty header has none."""
    assert read_demands(None, 2) == (0.0, 0.0)
    assert read_demands("", 0) == ()


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("0.1", "holds 1 times, but this endpoint takes 2"),
        ("0.1,x", "no number"),
        ("0.1,-1", "below zero"),
        ("0.1,nan", "finite"),
        ("0.1,inf", "finite"),
    ],
)
def test_wrong_demands_are_refused(header: str, told: str) -> None:
    """Too few demands, and values that are no time, are refused."""
    with pytest.raises(BadDemands, match=told):
        read_demands(header, 2)


class Handler:
    """An ASGI application whose requests end when they are told to."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer once the event of this path is set."""
        self.begun.append(scope["path"])
        await self.ends.setdefault(scope["path"], asyncio.Event()).wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def ask(limit: ConcurrencyLimit, path: str, statuses: dict[str, int]) -> asyncio.Task[None]:
    """Send a request; its status will be in ``statuses``."""

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses[path] = message["status"]

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "path": path,
        "headers": [(b"x-request", path[1:].encode()), (b"x-attempt", b"0")],
    }
    return asyncio.ensure_future(limit(scope, receive, send))  # type: ignore[arg-type]


def test_limit_admits_queues_and_refuses(tmp_path: Path) -> None:
    """Of five requests with one slot and two places to wait: one runs, two wait in order, two are refused at once."""

    async def scenario() -> tuple[list[str], dict[str, int]]:
        handler, statuses = Handler(), {}
        limit = ConcurrencyLimit(
            handler,
            concurrency=1,
            backlog=2,
            writer=SpanWriter(path=tmp_path / "spans", component="api", replica=3),
        )
        tasks = []
        for path in ("/1", "/2", "/3", "/4", "/5"):
            tasks.append(ask(limit, path, statuses))
            await asyncio.sleep(0)
        assert (limit.in_service, limit.waiting) == (1, 2)
        assert statuses == {"/4": 503, "/5": 503}
        for path in ("/1", "/2", "/3"):
            handler.ends.setdefault(path, asyncio.Event()).set()
        await asyncio.gather(*tasks)
        assert (limit.in_service, limit.waiting) == (0, 0)
        return handler.begun, statuses

    begun, statuses = asyncio.run(scenario())
    assert begun == ["/1", "/2", "/3"]
    assert statuses == {"/1": 200, "/2": 200, "/3": 200, "/4": 503, "/5": 503}
    lines = [json.loads(line) for line in (tmp_path / "spans").read_text().splitlines()]
    assert [(request, rows[0][:2], rows[0][8]) for request, _, rows, *_ in lines] == [
        (4, ["api", 3], "rejected"),
        (5, ["api", 3], "rejected"),
        (1, ["api", 3], "ok"),
        (2, ["api", 3], "ok"),
        (3, ["api", 3], "ok"),
    ]


def test_disowned_requests_are_written_once(tmp_path: Path) -> None:
    """What is still there is written as in flight, without a departure, and not again when it ends."""

    async def scenario() -> int:
        handler = Handler()
        limit = ConcurrencyLimit(
            handler,
            concurrency=1,
            backlog=None,
            writer=SpanWriter(path=tmp_path / "spans", component="api", replica=0),
        )
        tasks = [ask(limit, path, {}) for path in ("/1", "/2")]
        await asyncio.sleep(0)
        before_s = time.monotonic()
        tasks.append(ask(limit, "/3", {}))  # of the next repeat: the replica heard of the disowning too late
        await asyncio.sleep(0)
        disowned = limit.disown(before_s)
        for path in ("/1", "/2", "/3"):
            handler.ends.setdefault(path, asyncio.Event()).set()
        await asyncio.gather(*tasks)
        return disowned

    assert asyncio.run(scenario()) == 2
    lines = [json.loads(line) for line in (tmp_path / "spans").read_text().splitlines()]
    assert sorted(request for request, *_ in lines) == [1, 2, 3]
    left = {request for request, _, rows, *_ in lines if rows[0][5] is None and rows[0][8] == "in_flight"}
    assert left == {1, 2}


def test_health_passes_a_full_limit(tmp_path: Path) -> None:
    """The health check reaches the application although no slot is free, and leaves no span."""

    async def scenario() -> list[str]:
        handler = Handler()
        limit = ConcurrencyLimit(
            handler,
            concurrency=1,
            backlog=0,
            writer=SpanWriter(path=tmp_path / "spans", component="api", replica=0),
        )
        tasks = [ask(limit, "/1", {})]
        await asyncio.sleep(0)
        tasks.append(asyncio.ensure_future(limit({"type": "http", "path": "/-/health", "headers": []}, None, _nothing)))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        for path in ("/1", "/-/health"):
            handler.ends.setdefault(path, asyncio.Event()).set()
        await asyncio.gather(*tasks)
        return handler.begun

    assert asyncio.run(scenario()) == ["/1", "/-/health"]
    assert len((tmp_path / "spans").read_text().splitlines()) == 1


@pytest.mark.parametrize("path", ["/health", "/healthy", "/control", "/-/health/more"])
def test_only_the_backends_own_paths_pass_the_limit(tmp_path: Path, path: str) -> None:
    """An endpoint that is called ``health`` is limited and traced like any other."""

    async def scenario() -> dict[str, int]:
        statuses: dict[str, int] = {}
        limit = ConcurrencyLimit(
            Handler(),
            concurrency=0,
            backlog=0,
            writer=SpanWriter(path=tmp_path / "spans", component="api", replica=0),
        )

        async def send(message: Any) -> None:
            statuses[path] = message.get("status", statuses.get(path))

        await limit({"type": "http", "path": path, "headers": []}, None, send)  # type: ignore[arg-type]
        return statuses

    assert asyncio.run(scenario()) == {path: 503}


def test_database_spans_tell_whose_pool_it_was(tmp_path: Path) -> None:
    """A query is recorded with the index of the replica that asked: the wait was for a connection of its own pool."""
    trace = Trace(request=1, attempt=0, operation="read", arrival_s=0.0, replica=3)
    trace.add_query("main", "item_by_id", since_s=0.0, connected_s=None, outcome="timeout")
    trace.add_query("main", "item_by_id", since_s=0.0, connected_s=0.1, outcome="ok")
    assert [(row[0], row[1]) for row in trace.rows] == [("main", 3), ("main", 3)]


async def _nothing(message: Any) -> None:
    """Send nothing."""


def test_cpu_time_of_a_process_is_counted() -> None:
    """What this process burns appears in its account; a process that does not exist has used nothing."""
    before = cpu.used_s([os.getpid()])
    burn(0.05)
    assert 0.05 <= cpu.used_s([os.getpid()]) - before < 0.2
    assert cpu.used_s([2**30]) == 0.0
