"""Cold starts of a platform that has a process for each request and reuses the idle one that was used last.

The processes are a stack: whoever finishes puts its own on top, whoever comes takes the top. So the request that finds
n under way takes what was put there when the number last fell from n + 1 to n, and that one has been idle since: it is
gone if the number has stayed at n or below for longer than the idle timeout. With Poisson arrivals and exponential
service the number under way is that of M/M/inf, and how long it stays below n + 1 is a first passage time.

Source: own derivation, by the first passage times of birth-death chains (Kleinrock, 1975, chapter 3).
"""

from __future__ import annotations

import math

import numpy as np

from lab.errors import DomainError
from lab.theory import domain

_TAIL = 1e-12
_MOST_OFFERED = 500.0  # erlangs; the eigenvalues of so many states take seconds


def cold_start_probability(*, arrival_rate_per_s: float, service_time_s: float, idle_timeout_s: float) -> float:
    """Return the share of requests that find no idle process.

    Assumes Poisson arrivals, exponential service, as many processes as are needed, a start that takes no time.

    Args:
        arrival_rate_per_s: above 0.
        service_time_s: its mean, above 0.
        idle_timeout_s: after which an idle process is ended, 0 or above.

    Raises:
        DomainError: more than 500 requests would be under way on average, which is more than this way of reckoning can.

    One request at a time finds its process gone if the next one comes later than the timeout, exp(-1):

    >>> round(cold_start_probability(arrival_rate_per_s=0.01, service_time_s=1e-6, idle_timeout_s=100.0), 4)
    0.3679
    >>> cold_start_probability(arrival_rate_per_s=2.0, service_time_s=1.0, idle_timeout_s=0.0)
    1.0
    """
    arrivals = domain.positive(arrival_rate_per_s, name="arrival_rate_per_s")
    ends = 1.0 / domain.positive(service_time_s, name="service_time_s")
    timeout_s = domain.non_negative(idle_timeout_s, name="idle_timeout_s")
    offered = arrivals / ends
    if offered > _MOST_OFFERED:
        raise DomainError(f"{offered:g} under way on average are more than {_MOST_OFFERED:g}; take a slice of it")
    share, total, cold, under_way = math.exp(-offered), 0.0, 0.0, 0
    while total < 1.0 - _TAIL and under_way < offered + 20 * math.sqrt(offered) + 20:
        if share > _TAIL:
            cold += share * _stays_below(under_way, arrivals, ends, timeout_s)
        total += share
        under_way += 1
        share *= offered / under_way
    return min(1.0, cold / total)


def _stays_below(number: int, arrivals_per_s: float, ends_per_s: float, time_s: float) -> float:
    """Return the probability that the number under way, now ``number``, has not been above it within a time."""
    states = np.arange(number + 1)
    between = np.sqrt(arrivals_per_s * ends_per_s * states[1:])  # of the symmetric form of the chain's generator
    generator = np.diag(-(arrivals_per_s + ends_per_s * states)) + np.diag(between, 1) + np.diag(between, -1)
    values, vectors = np.linalg.eigh(generator)
    # Half the logarithm of the shares of time, up to a constant: what turns the symmetric form back.
    logs = 0.5 * (states * math.log(arrivals_per_s / ends_per_s) - np.array([math.lgamma(n + 1) for n in states]))
    weights = np.exp(logs - logs[number])
    return float((vectors[number] * np.exp(values * time_s)) @ (vectors.T @ weights))
