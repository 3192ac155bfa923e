"""Waiting until a backend is idle after a repeat, however busy it is: a busy event loop answers late or not at all."""

from __future__ import annotations

import time
from dataclasses import dataclass

import httpx

from reference_backend import haproxy
from reference_backend.backend import Backend
from reference_backend.deployment import Deployment
from reference_backend.limit import DISOWN_PATH, HEALTH_PATH
from reference_backend.load.schedule import Schedule
from reference_backend.ports import LOOPBACK
from reference_backend.watch import Watch

_LEAST_S = 10.0
_MOST_S = 60.0
# A replica that takes longer than this to say how it is has something to do.
_ANSWER_S = 1.0
_DISOWN_S = 15.0
_AGAIN_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What was left when the wait was over.

    Attributes:
        left_in_flight: requests that the replicas still held; they are written as in flight.
        messages_left: messages that waited in queues, or were delivered and not acknowledged.
        silent: the replicas that did not even say what they held: requests in flight there have no span of theirs.
    """

    left_in_flight: int
    messages_left: int
    silent: tuple[str, ...]


def patience_s(deployment: Deployment, schedule: Schedule) -> float:
    """Return how long to wait for what may still be under way, from 10 to 60 seconds.

    That is a request that was given its place in a load balancer's queue at the last moment, then waits for a
    connection of a pool, and then has the longest demands of all (those of its other attempts, and of those who work
    on its messages, included). Messages that still wait after that are forgotten: how long they would take depends on
    how many there are.
    """
    demands_s = max((sum(planned.demands_s) for planned in schedule.requests), default=0.0)
    queue_s = max((balancer.queue_timeout_s for balancer in deployment.load_balancers().values()), default=0.0)
    pool_s = max((database.pool.timeout_s for database in deployment.databases().values()), default=0.0)
    return min(_MOST_S, max(_LEAST_S, demands_s + queue_s + pool_s))


def drain(backend: Backend, watch: Watch, *, within_s: float) -> Drained:
    """Wait until no replica has work left and no queue a message, then have what is left written as in flight."""
    ports = {
        f"{service}/{replica}": port
        for service, numbers in backend.parts.replica_ports.items()
        for replica, port in numbers.items()
    }
    with httpx.Client(trust_env=False, timeout=_ANSWER_S) as client:
        deadline = time.monotonic() + within_s
        while _queued(backend) or _messages(backend) or any(is_busy(client, port) for port in ports.values()):
            if time.monotonic() > deadline:
                break
            watch.pause(_AGAIN_S)
        ended_s = time.monotonic()
        answers = {}
        for part, port in ports.items():
            watch.check()
            answers[part] = disown(client, port, before_s=ended_s, until_s=ended_s + _DISOWN_S)
    return Drained(
        left_in_flight=sum(answer for answer in answers.values() if answer is not None),
        messages_left=_messages(backend),
        silent=tuple(part for part, answer in answers.items() if answer is None),
    )


def _queued(backend: Backend) -> bool:
    """Return whether HAProxy still holds requests (their clients may have gone: it serves them nevertheless)."""
    if not backend.deployment.proxies():
        return False
    try:
        gauges = haproxy.gauges(backend.control)
    except OSError:
        return True  # too busy to answer; had it died, the watch would say so
    return any(gauge.value > 0 for gauge in gauges if gauge.name in ("scur", "qcur"))


def _messages(backend: Backend) -> int:
    """Return how many messages the queues hold."""
    return sum(queue.messages() for queue in backend.parts.queues.values())


def is_busy(client: httpx.Client, port: int) -> bool:
    """Return whether a replica has work; one whose event loop does not get round to answering certainly has."""
    try:
        state = client.get(f"http://{LOOPBACK}:{port}{HEALTH_PATH}").json()
    except httpx.TimeoutException:
        return True
    return bool(state["in_service"] or state["waiting"])


def disown(client: httpx.Client, port: int, *, before_s: float, until_s: float) -> int | None:
    """Have a replica write what it holds as in flight; return how many that were, None if it does not answer."""
    timeout_s = max(_ANSWER_S, until_s - time.monotonic())
    try:
        answer = client.post(
            f"http://{LOOPBACK}:{port}{DISOWN_PATH}", params={"before_s": repr(before_s)}, timeout=timeout_s
        )
    except httpx.TimeoutException:
        return None
    return int(answer.json()["disowned"])
