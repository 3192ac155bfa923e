"""Retry storms: from which load on an overload keeps itself up after what set it off is gone.

While every attempt times out, each request makes all of its attempts, and each attempt takes its full service
although nobody waits for the answer any more. If what then arrives exceeds the capacity, the queue never gets
shorter than the timeout: goodput stays at zero although the same load was served well before (metastable). Below
the threshold the queue drains, and the system recovers by itself.

Assumes a first-come-first-served queue with room for all (a short or shedding queue keeps goodput up), attempts
that are not cancelled with their request, and an outage long enough to make the queue outlast the timeout.

Source: Bronson, Aghayev, Charapko and Zhu (2021), "Metastable failures in distributed systems", HotOS; Huang et
al. (2022), "Metastable failures in the wild", OSDI.
"""

from __future__ import annotations

import math
from enum import StrEnum

from lab.theory import domain


class Fate(StrEnum):
    """What a passing overload leaves behind."""

    RECOVERS = "recovers"  # also with all retries the arrivals are below capacity
    METASTABLE = "metastable"  # below capacity without retries, at or above it with them
    OVERLOADED = "overloaded"  # at or above capacity even without retries


def amplification_max(*, max_attempts: int, retry_budget: float = math.inf) -> float:
    """Return how many attempts a request makes on average when all of them fail.

    Args:
        max_attempts: of a request, the first included, at least one.
        retry_budget: retries allowed per request on average, over all requests (0.1 is 10 %), 0 or above;
            infinite without a budget. One that successes alone refill comes to 0 when all fail.

    >>> amplification_max(max_attempts=3), amplification_max(max_attempts=3, retry_budget=0.1)
    (3.0, 1.1)
    """
    retries = domain.whole(max_attempts, name="max_attempts", at_least=1) - 1
    if math.isinf(retry_budget) and retry_budget > 0.0:
        return 1.0 + retries
    return 1.0 + min(float(retries), domain.non_negative(retry_budget, name="retry_budget"))


def arrival_rate_per_s_max(*, capacity_per_s: float, max_attempts: int, retry_budget: float = math.inf) -> float:
    """Return the load at and above which a storm sustains itself: capacity over attempts a request.

    Args:
        capacity_per_s: attempts that can be served, servers over mean service time; above 0.
        max_attempts, retry_budget: as in ``amplification_max``.

    >>> arrival_rate_per_s_max(capacity_per_s=300.0, max_attempts=2)
    150.0
    >>> round(arrival_rate_per_s_max(capacity_per_s=300.0, max_attempts=2, retry_budget=0.1), 2)
    272.73
    """
    capacity = domain.positive(capacity_per_s, name="capacity_per_s")
    return capacity / amplification_max(max_attempts=max_attempts, retry_budget=retry_budget)


def fate(
    *, arrival_rate_per_s: float, capacity_per_s: float, max_attempts: int, retry_budget: float = math.inf
) -> Fate:
    """Return what becomes of a load of requests once a long outage is over.

    Args:
        arrival_rate_per_s: requests, without their retries, 0 or above.
        capacity_per_s, max_attempts, retry_budget: as in ``arrival_rate_per_s_max``.

    >>> fate(arrival_rate_per_s=200.0, capacity_per_s=300.0, max_attempts=2).value
    'metastable'
    """
    arrivals = domain.non_negative(arrival_rate_per_s, name="arrival_rate_per_s")
    limit = arrival_rate_per_s_max(capacity_per_s=capacity_per_s, max_attempts=max_attempts, retry_budget=retry_budget)
    if arrivals >= capacity_per_s:
        return Fate.OVERLOADED
    return Fate.METASTABLE if arrivals >= limit else Fate.RECOVERS


def recovery_time_s(
    *, outage_s: float, timeout_s: float, arrival_rate_per_s: float, capacity_per_s: float, attempts: float
) -> float:
    """Return how long after an outage answers come in time again, by the fluid view; infinite if never.

    During the outage attempts pile up and nothing is served. Then the queue shrinks at what the capacity exceeds
    all attempts by, until a new one is served within its timeout. Retries are taken to come at once, so an outage
    has to be long against timeout and backoff.

    Args:
        outage_s: 0 or above.
        timeout_s: of an attempt, 0 or above.
        arrival_rate_per_s: requests, without their retries, 0 or above.
        capacity_per_s: above 0.
        attempts: of a request when all fail, 1 or above: ``amplification_max``.

    >>> recovery_time_s(outage_s=10.0, timeout_s=1.0, arrival_rate_per_s=100.0, capacity_per_s=300.0, attempts=2.0)
    17.0
    """
    arrivals = domain.non_negative(arrival_rate_per_s, name="arrival_rate_per_s")
    capacity = domain.positive(capacity_per_s, name="capacity_per_s")
    each = 1.0 + domain.non_negative(attempts - 1.0, name="attempts - 1")
    piled_up = each * arrivals * domain.non_negative(outage_s, name="outage_s")
    too_many = piled_up - capacity * domain.non_negative(timeout_s, name="timeout_s")
    if too_many <= 0.0:
        return 0.0
    spare = capacity - each * arrivals
    return too_many / spare if spare > 0.0 else math.inf
