"""From a scenario's client to that of the load generator, and to the draws that it needs."""

from __future__ import annotations

from typing import Any

from lab.randomness import Stream
from lab.scenario.client import CircuitBreaker, Client

_PATIENT_S = 300.0  # a client without a timeout; the generator needs some bound to end by itself


def client_section(client: Client) -> dict[str, Any]:
    """Return the client's part of the deployment document (JSON values, times in seconds)."""
    budget, throttle, hedge = client.budget, client.throttle, client.hedge
    return {
        "timeout_s": client.timeout or _PATIENT_S,
        "deadline_s": client.deadline,
        "attempts": client.attempts,
        **({"retry_on": list(client.retry.retry_on)} if client.retry else {}),
        "budget": budget and {"ratio": budget.ratio, "burst": budget.burst},
        "circuit_breaker": breaker_section(client.circuit_breaker),
        "throttle": throttle and {"multiplier": throttle.multiplier, "window_s": throttle.window},
        "hedge": hedge
        and {
            "after_s": hedge.after,
            "throttle": hedge.throttle and {"tokens": hedge.throttle.tokens, "ratio": hedge.throttle.ratio},
        },
    }


def breaker_section(breaker: CircuitBreaker | None) -> dict[str, Any] | None:
    """Return a circuit breaker, of the client or of a call, as the deployment document has it."""
    if breaker is None:
        return None
    return {
        "window": breaker.window,
        "minimum": breaker.minimum,
        "failure_ratio": breaker.failure_ratio,
        "open_for_s": breaker.open_for,
        "half_open": breaker.half_open,
    }


def coins(client: Client, draws: Stream, *, requests: int) -> list[list[float]]:
    """Return for each request the drawn number of each of its attempts that the client's throttle decides by.

    They are the very draws of the simulator. Without a throttle none is needed, and none is there.

    Args:
        client: how many attempts it makes, and whether it has a throttle.
        draws: the stream of the throttle.
        requests: of the schedule.
    """
    attempts = range(client.attempts if client.throttle is not None else 0)
    return [[draws.uniform(number, attempt) for attempt in attempts] for number in range(requests)]
