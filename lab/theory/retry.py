"""Retry amplification: what retries add to the arrivals of a part that fails.

Source: geometric trials; for what it does to real systems: Brooker, "Timeouts, retries and backoff
with jitter", Amazon Builders' Library.
"""

from __future__ import annotations

import math

from lab.theory import domain


def attempts_mean(*, failure_probability: float, max_attempts: int) -> float:
    """Return the mean number of attempts a request makes: the factor by which retries multiply arrivals.

    Assumes that each attempt fails independently with the same probability. In an overload it is worse:
    the added arrivals raise the probability itself (``lab.theory.retry_storm``).

    Args:
        failure_probability: of one attempt, 0 to 1.
        max_attempts: the first included, at least one.

    >>> round(attempts_mean(failure_probability=0.5, max_attempts=3), 9)
    1.75
    """
    fails = domain.probability(failure_probability, name="failure_probability")
    most = domain.whole(max_attempts, name="max_attempts", at_least=1)
    if fails == 1.0:
        return float(most)
    return _some_attempt_succeeds(fails, most) / (1.0 - fails)


def success_probability(*, failure_probability: float, max_attempts: int) -> float:
    """Return the share of requests of which some attempt succeeds. Assumptions as in ``attempts_mean``.

    >>> round(success_probability(failure_probability=0.5, max_attempts=3), 9)
    0.875
    """
    fails = domain.probability(failure_probability, name="failure_probability")
    most = domain.whole(max_attempts, name="max_attempts", at_least=1)
    return _some_attempt_succeeds(fails, most)


def attempts_mean_through_layers(*, failure_probability: float, max_attempts: int, layers: int) -> float:
    """Return the attempts that reach the lowest part a request, when each of ``layers`` callers retries.

    Assumes that only the lowest part fails, and that a caller whose attempts are used up fails too; so
    each layer up retries what the one below gave up on. In an outage: max_attempts to the power of layers.

    Args:
        failure_probability: of one attempt at the lowest part, 0 to 1.
        max_attempts: of each layer, at least one.
        layers: callers above one another, at least one.

    >>> attempts_mean_through_layers(failure_probability=1.0, max_attempts=3, layers=5)
    243.0
    """
    most = domain.whole(max_attempts, name="max_attempts", at_least=1)
    fails = domain.probability(failure_probability, name="failure_probability")
    attempts = 1.0
    for _ in range(domain.whole(layers, name="layers", at_least=1)):
        attempts *= attempts_mean(failure_probability=fails, max_attempts=most)
        fails = float(fails**most)
    return attempts


def _some_attempt_succeeds(fails: float, most: int) -> float:
    """Return 1 - fails^most, to full precision also where attempts hardly ever succeed."""
    return -math.expm1(most * math.log(fails)) if fails > 0.0 else 1.0
