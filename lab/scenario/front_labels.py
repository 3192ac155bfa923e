"""What the picture of a topology says of a front: how it chooses or holds back, and its limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from lab.scenario.components import (
    Cache,
    Cdn,
    Envoy,
    LoadBalancer,
    Nginx,
    RateLimiter,
    WaitingRoom,
)
from lab.scenario.fronts import Front
from lab.units import format_bytes, format_duration, format_rate

_MOST_LABELS = 4  # more would hide the picture
_UNLIKELY = 1024  # Envoy's default of all three
_COUNTED = {"shared": "in all", "per_key": "a key", "per_client": "a client"}


def front_limits(front: Front) -> Iterator[str]:
    """Yield what stands below the name of a front."""
    match front:
        case LoadBalancer():
            yield from _balancer_limits(front)
        case Nginx():
            yield from _nginx_limits(front)
        case Envoy():
            yield from _envoy_limits(front)
        case Cdn():
            yield from _cdn_limits(front)
        case RateLimiter():
            yield from _limiter_limits(front)
        case WaitingRoom():
            yield from _room_limits(front)
        case _:
            assert_never(front)


def room(part: Cache | Cdn) -> Iterator[str]:
    """Yield how much fits into a part, and what goes when it is full."""
    if part.capacity is not None:
        yield f"{part.capacity} entries"
    elif part.capacity_bytes is not None:
        yield format_bytes(part.capacity_bytes)
    else:
        yield "no limit"
    if part.bounded and part.eviction != "lru":
        yield part.eviction


def _cdn_limits(cdn: Cdn) -> Iterator[str]:
    yield f"{cdn.points_of_presence} point{'s' * (cdn.points_of_presence != 1)} of presence"
    yield from room(cdn)
    ages = [f"{endpoint} {format_duration(age_s)}" for endpoint, age_s in cdn.max_age.items()]
    yield f"max age: {', '.join(ages[:_MOST_LABELS])}{' ...' * (len(ages) > _MOST_LABELS)}"


def _balancer_limits(balancer: LoadBalancer) -> Iterator[str]:
    yield _algorithm(balancer)
    if balancer.max_connections_per_server is not None:
        yield f"{balancer.max_connections_per_server} a server"
        yield f"queue {format_duration(balancer.queue_timeout)}"
    if balancer.health_check is not None:
        yield f"checks every {format_duration(balancer.health_check.interval)}"


def _limiter_limits(limiter: RateLimiter) -> Iterator[str]:
    yield f"{limiter.limit} per {format_duration(limiter.window)} {_COUNTED[limiter.scope]}"
    yield limiter.algorithm.replace("_", " ")
    if limiter.endpoints is not None:
        yield f"guards {' and '.join(limiter.endpoints)}"


def _room_limits(room: WaitingRoom) -> Iterator[str]:
    if room.max_active is not None:
        yield f"{room.max_active} inside"
    if room.admission_rate is not None:
        yield f"lets in {format_rate(room.admission_rate)}"
    if room.max_queue is not None:
        yield f"queue {room.max_queue}"


def _nginx_limits(nginx: Nginx) -> Iterator[str]:
    yield nginx.algorithm.replace("_", " ") + _by_weight(nginx.weights)
    if nginx.max_conns is not None:
        yield f"{nginx.max_conns} a server"
    if nginx.max_fails:
        yield f"out after {nginx.max_fails} failure{'s' * (nginx.max_fails != 1)}"


def _envoy_limits(envoy: Envoy) -> Iterator[str]:
    drawn = f" of {envoy.choice_count}" * (envoy.algorithm == "least_request")
    yield envoy.algorithm.replace("_", " ") + drawn
    for limit, what in (
        (envoy.max_connections, "connections"),
        (envoy.max_pending_requests, "pending"),
        (envoy.max_requests, "requests"),
    ):
        if limit != _UNLIKELY:
            yield f"{limit} {what}"
    if envoy.outlier_detection is not None:
        yield f"ejects after {envoy.outlier_detection.consecutive_5xx} failures"


def _by_weight(weights: tuple[int, ...] | None) -> str:
    if weights is None:
        return ""
    shown = ":".join(str(weight) for weight in weights[:_MOST_LABELS])
    return f" by {shown}" + " ..." * (len(weights) > _MOST_LABELS)


def _algorithm(balancer: LoadBalancer) -> str:
    said: str = balancer.algorithm
    if balancer.algorithm == "random":
        said = f"random of {balancer.draws}"
    elif balancer.algorithm == "uri":
        said = f"uri, {balancer.hash_type.replace('_', '-')}"
    if balancer.hash_balance_factor is not None:
        said += f" within {balancer.hash_balance_factor}%"
    return said + _by_weight(balancer.weights)
