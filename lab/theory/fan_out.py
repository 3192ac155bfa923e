"""Fan-out: a request that asks many parts at once is done when the slowest of them is.

Assumes that the parts are independent of each other and start at once; queues that they share make it worse or,
where all are slow together, better.

Source: Dean and Barroso (2013), "The tail at scale", Communications of the ACM 56(2), 74-80.
"""

from __future__ import annotations

import math

from lab.errors import DomainError
from lab.theory import domain


def slow_probability(*, branches: int, branch_slow_probability: float) -> float:
    """Return the share of requests of which some branch is slow: 1 - (1 - p)^n.

    Args:
        branches: asked at once, at least one.
        branch_slow_probability: of one of them, 0 to 1.

    >>> round(slow_probability(branches=100, branch_slow_probability=0.01), 4)
    0.634
    """
    count = domain.whole(branches, name="branches", at_least=1)
    slow = domain.probability(branch_slow_probability, name="branch_slow_probability")
    return -math.expm1(count * math.log1p(-slow)) if slow < 1.0 else 1.0


def branch_quantile(*, branches: int, quantile: float) -> float:
    """Return which quantile of one branch is the given quantile (in (0, 1)) of the slowest of all.

    >>> round(branch_quantile(branches=100, quantile=0.5), 5)
    0.99309
    """
    count = domain.whole(branches, name="branches", at_least=1)
    return float(domain.open_probability(quantile, name="quantile") ** (1.0 / count))


def exponential_maximum_s_mean(*, branches: int, branch_time_s: float) -> float:
    """Return the mean time of the slowest of exponential branches: 1 + 1/2 + .. + 1/n times the mean of one.

    Args:
        branches: at least one.
        branch_time_s: mean of each, above 0.

    >>> round(exponential_maximum_s_mean(branches=4, branch_time_s=0.12), 9)
    0.25
    """
    count = domain.whole(branches, name="branches", at_least=1)
    return domain.positive(branch_time_s, name="branch_time_s") * math.fsum(1.0 / k for k in range(1, count + 1))


def exponential_maximum_s_quantile(*, quantile: float, branches: int, branch_time_s: float) -> float:
    """Return the time within which a share ``quantile`` (in (0, 1)) of requests have all their branches back.

    Other arguments as in ``exponential_maximum_s_mean``.

    >>> round(exponential_maximum_s_quantile(quantile=0.99, branches=1, branch_time_s=1.0), 4)
    4.6052
    """
    domain.open_probability(quantile, name="quantile")
    count = domain.whole(branches, name="branches", at_least=1)
    beyond = -math.expm1(math.log(quantile) / count)  # 1 - branch_quantile, without losing digits near 1
    return -math.log(beyond) * domain.positive(branch_time_s, name="branch_time_s")


def exponential_order_s_mean(*, branches: int, wanted: int, branch_time_s: float) -> float:
    """Return the mean time until ``wanted`` of the branches (1 to all) are back: (1/n + .. + 1/(n-k+1)) times the mean.

    Other arguments as in ``exponential_maximum_s_mean``.

    >>> round(exponential_order_s_mean(branches=3, wanted=2, branch_time_s=0.06), 9)  # 1/3 + 1/2
    0.05
    """
    count = domain.whole(branches, name="branches", at_least=1)
    needed = domain.whole(wanted, name="wanted", at_least=1)
    if needed > count:
        raise DomainError(f"wanted is {needed}, but there are {count} branches; want at most as many")
    first = count - needed + 1
    return domain.positive(branch_time_s, name="branch_time_s") * math.fsum(1.0 / k for k in range(first, count + 1))
