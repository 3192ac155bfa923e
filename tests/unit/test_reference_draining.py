"""Waiting for a backend to become idle: an event loop that is too busy to answer must not cost the measurement."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from reference_backend import draining, haproxy, sampling
from reference_backend.backend import Backend
from reference_backend.clock import wall_ahead_s
from reference_backend.deployment import Deployment
from reference_backend.draining import Drained, drain, patience_s
from reference_backend.load.schedule import Planned, Schedule
from reference_backend.watch import Watch


def deployment(queue_timeout_s: float = 1.0) -> Deployment:
    """Return a load balancer in front of one service."""
    endpoint = {"demands": 1, "steps": [{"kind": "wait", "demand": 0}]}
    edge = {"kind": "load_balancer", "algorithm": "random", "targets": "api", "queue_timeout_s": queue_timeout_s}
    parts = {"edge": edge, "api": {"kind": "service", "endpoints": {"read": endpoint}}}
    return Deployment.model_validate({"schema_version": 1, "name": "test", "entry": "edge", "parts": parts})


def schedule(demand_s: float) -> Schedule:
    """Return a schedule of one request."""
    one = Planned(request=1, endpoint="read", key=1, intended_start_s=0.0, demands_s=(demand_s,), backoffs_s=())
    return Schedule(duration_s=1.0, requests=(one,))


@pytest.mark.parametrize(
    ("demand_s", "queue_timeout_s", "expected_s"), [(0.1, 1.0, 10.0), (20.0, 1.0, 21.0), (0.5, 30.0, 30.5), (5, 80, 60)]
)
def test_patience_is_what_can_still_be_under_way(demand_s: float, queue_timeout_s: float, expected_s: float) -> None:
    """The longest demand and the longest wait in a queue count, within 10 and 60 s."""
    assert patience_s(deployment(queue_timeout_s), schedule(demand_s)) == pytest.approx(expected_s)


@contextmanager
def replica(answer: bytes | None, *, silent_connections: int = 0) -> Iterator[int]:
    """Yield the port of a server that answers so; the first connections, or all with no answer, hear nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                held.append(connection)
                if answer is None or len(held) <= silent_connections:
                    continue
                while connection.recv(4096):
                    body = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer)
                    connection.sendall(b"HTTP/1.1 200 OK\r\n" + body)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        for connection in held:
            connection.close()


class CalmWatch:
    """A watch over nothing."""

    def check(self) -> None:
        """Find nothing wrong."""

    def pause(self, seconds: float) -> bool:
        """Wait."""
        time.sleep(seconds)
        return False


def backend(port: int, control: Path | None = None) -> Backend:
    """Return what draining needs of a backend: one replica, and HAProxy's socket if there is one."""
    balancers = {} if control is None else {"edge": object()}
    stand_in = SimpleNamespace(
        parts=SimpleNamespace(queues={}, caches={}, replica_ports={"api": {0: port}}, running=[]),
        deployment=SimpleNamespace(proxies=lambda: balancers),
        control=control,
    )
    return cast("Backend", stand_in)


IDLE = b'{"in_service": 0, "waiting": 0, "disowned": 7}'


def test_replica_that_answers_too_late_is_busy_and_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first question times out; the second is answered, and the drain ends well."""
    monkeypatch.setattr(draining, "_ANSWER_S", 0.1)
    with replica(IDLE, silent_connections=1) as port:
        drained = drain(backend(port), cast("Watch", CalmWatch()), within_s=5.0)
    assert drained == Drained(left_in_flight=7, messages_left=0, silent=())


def test_replica_that_never_answers_is_told_and_does_not_fail_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the deadline it is named as silent; the time is counted by the clock, not by the number of questions."""
    monkeypatch.setattr(draining, "_ANSWER_S", 0.2)
    monkeypatch.setattr(draining, "_DISOWN_S", 0.2)
    since_s = time.monotonic()
    with replica(None) as port:
        drained = drain(backend(port), cast("Watch", CalmWatch()), within_s=0.5)
    assert drained == Drained(left_in_flight=0, messages_left=0, silent=("api/0",))
    assert time.monotonic() - since_s < 2.0


def test_balancer_that_does_not_answer_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time-out of HAProxy's runtime socket means that it may still hold requests: the wait goes on, then ends."""
    asked = []

    def gauges(control: Path) -> list[Any]:
        asked.append(control)
        raise TimeoutError

    monkeypatch.setattr(haproxy, "gauges", gauges)
    with replica(IDLE) as port:
        drained = drain(backend(port, Path("h.sock")), cast("Watch", CalmWatch()), within_s=0.25)
    assert drained.left_in_flight == 7
    assert len(asked) > 1


def test_missed_gauge_skips_its_sample(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A sample that HAProxy is too busy for is counted as missed, and the next one is taken as usual."""
    answers: list[list[haproxy.Gauge] | Exception] = [
        TimeoutError("timed out"),
        [haproxy.Gauge(load_balancer="edge", replica=None, name="qcur", value=4.0)],
    ]

    def gauges(control: Path) -> list[haproxy.Gauge]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(haproxy, "gauges", gauges)
    sampler = sampling.Sampler(backend=backend(1, Path("h.sock")), supervisor_pid=1)
    sampler.sample(11.0, 10.0)
    sampler.sample(12.0, 10.0)
    sampler.write(tmp_path)
    rows = sampling.pq.read_table(tmp_path / "samples.parquet").to_pylist()
    assert sampler.missed == 1
    assert [(row["time_s"], row["value"]) for row in rows if row["gauge"] == "qcur"] == [(2.0, 4.0)]


def test_other_failures_of_a_replica_are_not_called_busy() -> None:
    """A refused connection means that the replica is dead, which must fail the run and not only delay it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with httpx.Client(trust_env=False) as client, pytest.raises(httpx.ConnectError):
        draining.is_busy(client, port)


def test_wall_clock_is_ahead_by_what_the_clocks_say() -> None:
    """The difference of the two clocks is that of two looks at them, to well below a millisecond."""
    assert wall_ahead_s() == pytest.approx(time.time() - time.monotonic(), abs=0.01)
