"""The time until a random number of exponential phases has passed: the wait behind those found in a queue."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lab.theory import domain


def tail(shares: Sequence[float], *, phases: float) -> float:
    """Return the probability that it takes longer than ``phases`` mean phases.

    Args:
        shares: how likely 1, 2, .. phases have to pass; what is missing to 1 has none to wait for.
        phases: the time, in mean durations of a phase, 0 or above.

    >>> tail([0.5], phases=0.0)
    0.5
    """
    passed = domain.non_negative(phases, name="phases")
    # i + 1 phases take longer if at most i of them, a Poisson number, end by then. Logarithms: the first
    # term of a Poisson sum is 0 in floats beyond a mean of 745.
    log_mean = math.log(passed) if passed > 0.0 else -math.inf
    at_most = 0.0
    total = 0.0
    for i, share in enumerate(shares):
        log_term = (i * log_mean if i else 0.0) - passed - math.lgamma(i + 1)
        at_most += math.exp(log_term)
        total += share * min(at_most, 1.0)
    return total
