"""Zipf's law: the k-th most popular key is asked for in proportion to k to the power -exponent.

Source: Zipf (1949); for web caches: Breslau, Cao, Fan, Phillips and Shenker (1999), "Web caching and
Zipf-like distributions", INFOCOM (exponents of 0.64 to 0.83).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lab.errors import DomainError
from lab.theory import domain


def probabilities(*, exponent: float, count: int) -> NDArray[np.float64]:
    """Return how likely a request asks for each key, the most popular first.

    Args:
        exponent: 0 (all alike) or above.
        count: number of keys, at least one.

    Returns:
        Shape (count,), falling, of sum 1; every value above 0.

    Raises:
        DomainError: an exponent so high that the rarest key gets a probability of 0 in floats.

    >>> [round(float(p), 4) for p in probabilities(exponent=1.0, count=3)]
    [0.5455, 0.2727, 0.1818]
    """
    power = domain.non_negative(exponent, name="exponent")
    keys = domain.whole(count, name="count", at_least=1)
    # `math`, not NumPy, whose powers differ in their last bits from one processor to another.
    weights = [math.pow(rank, -power) for rank in range(1, keys + 1)]
    total = math.fsum(weights)
    if weights[-1] / total == 0.0:
        raise DomainError(
            f"exponent is {exponent!r}, but {keys}^-{exponent!r} is 0 in floats, so that the rarest key "
            "would never be asked for; give a lower exponent (1 is usual) or fewer keys"
        )
    return np.array([weight / total for weight in weights])
