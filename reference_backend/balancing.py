"""A load balancer's settings in HAProxy's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from reference_backend.load_balancer import HealthCheck, LoadBalancer

# HAProxy counts milliseconds in 31 bits, so no timeout is longer than 24 days; left out, it would warn.
_LONGEST = "24d"
# The checks where none are asked for: they tell of a host so busy that a server seems dead.
_GUARD = HealthCheck(interval_s=2.0, timeout_s=5.0)
_FINEST_RING = 256


def options(balancer: LoadBalancer, *, faulty: bool) -> Iterator[str]:
    """Yield the lines of a backend, without its servers.

    Args:
        balancer: what is asked for.
        faulty: whether faults will happen, so that nothing may find out about them that was not asked for.
    """
    yield f"balance {_balance(balancer)}"
    if balancer.algorithm == "hash":
        yield f"hash-type {balancer.hash_type.replace('_', '-')}"
    if balancer.hash_balance_factor is not None:
        yield f"hash-balance-factor {balancer.hash_balance_factor}"
    yield f"timeout queue {_ms(balancer.queue_timeout_s)}"
    yield f"timeout server {_LONGEST if balancer.server_timeout_s is None else _ms(balancer.server_timeout_s)}"
    yield f"timeout connect {_ms(balancer.connect_timeout_s)}"
    yield f"retries {balancer.retries}"
    if balancer.redispatch:
        yield "option redispatch"
    if balancer.abort_on_close:
        yield "option abortonclose"
    check = _check(balancer, faulty=faulty)
    if check is not None and check.timeout_s is not None:
        yield f"timeout check {_ms(check.timeout_s)}"


def server_settings(balancer: LoadBalancer, *, faulty: bool) -> str:
    """Return what is said of each server but its weight, those included that are added while HAProxy runs."""
    check = _check(balancer, faulty=faulty)
    words = [] if check is None else list(_checking(check))
    if balancer.max_connections_per_server is not None:
        words.append(f"maxconn {balancer.max_connections_per_server}")
    if balancer.max_queue is not None:
        words.append(f"maxqueue {balancer.max_queue}")
    if balancer.slow_start_s is not None:
        words.append(f"slowstart {_ms(balancer.slow_start_s)}")
    return " ".join([*words, f"weight {_weight(balancer, 0)}"])


def own_weight(balancer: LoadBalancer, place: int) -> str:
    """Return what is said of one server's weight, if it differs from the others'."""
    return "" if _weight(balancer, place) == _weight(balancer, 0) else f" weight {_weight(balancer, place)}"


def _weight(balancer: LoadBalancer, place: int) -> int:
    """Return a server's weight; ``random`` has its finest ring at the greatest ones."""
    heaviest = max((1, *(balancer.weights or ())))
    return balancer.weight(place) * (_FINEST_RING // heaviest if balancer.algorithm == "random" else 1)


def _check(balancer: LoadBalancer, *, faulty: bool) -> HealthCheck | None:
    return balancer.health_check or (None if faulty else _GUARD)


def _checking(check: HealthCheck) -> Iterator[str]:
    yield f"check inter {_ms(check.interval_s)} fall {check.fall} rise {check.rise}"
    if check.fast_interval_s is not None:
        yield f"fastinter {_ms(check.fast_interval_s)}"
    if check.down_interval_s is not None:
        yield f"downinter {_ms(check.down_interval_s)}"
    if check.on_marked_down == "shutdown_sessions":
        yield "on-marked-down shutdown-sessions"


def _ms(seconds: float) -> str:
    """Return a time in HAProxy's whole milliseconds."""
    return f"{max(1, round(seconds * 1000))}ms"


def _balance(balancer: LoadBalancer) -> str:
    """Return HAProxy's word for an algorithm."""
    match balancer.algorithm:
        case "roundrobin" | "leastconn" | "first":
            return balancer.algorithm
        case "random":
            return f"random({balancer.draws})"
        case "hash":
            return "url_param key"
        case _ as never:
            assert_never(never)
