"""Segmented LRU by characteristic times: one for each segment, the same for all keys.

A key that is out comes onto probation when it is asked for; there it is protected when it is asked for within one
characteristic time, else it leaves; a protected key falls back onto probation when it is not asked for within the
other. Both times are such that the segments hold what they have room for. Assumes independent requests, entries of
equal size, filled segments and no time to fetch.

Source: Gast and Van Houdt (2015), "Transient and steady-state regime of a family of list-based cache replacement
algorithms", SIGMETRICS (LRU(m) with two lists); Martina, Garetto and Leonardi (2014), INFOCOM.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lab.errors import DomainError
from lab.theory import che, domain
from lab.theory.popularity import request_rates

_STEPS = 30  # halvings of a factor of 16 at most; leave the times right to a ten millionth
_LARGEST = 700.0  # of an exponent


def hit_ratios(*, request_rates_per_s: ArrayLike, probationary: int, protected: int) -> NDArray[np.float64]:
    """Return the share of each key's requests that hit.

    Args:
        request_rates_per_s: of each key, shape (keys,), 0 or above, not all 0.
        probationary: entries on probation, 1 or above.
        protected: entries that are protected, 0 or above; with 0 it is LRU.

    Returns:
        Shape (keys,), from 0 to 1; 0 for a key that is never asked for.

    >>> hit_ratios(request_rates_per_s=[1.0, 1.0], probationary=1, protected=0).round(6).tolist()
    [0.5, 0.5]
    """
    rates = request_rates(request_rates_per_s)
    on_probation = domain.whole(probationary, name="probationary", at_least=1)
    kept = domain.whole(protected, name="protected", at_least=0)
    if kept == 0:
        return che.hit_ratios(request_rates_per_s=rates, capacity=on_probation)
    if on_probation + kept >= np.count_nonzero(rates):
        return np.where(rates > 0.0, 1.0, 0.0)
    scale_s = 1.0 / float(rates.max())

    def times_of(probation_s: float) -> tuple[float, float]:
        return probation_s, _rises_to(kept, lambda stay_s: float(_shares(rates, probation_s, stay_s)[1].sum()), scale_s)

    probation_s = _rises_to(on_probation, lambda time_s: float(_shares(rates, *times_of(time_s))[0].sum()), scale_s)
    first, second = _shares(rates, *times_of(probation_s))
    return np.asarray(first + second, dtype=np.float64)


def _shares(
    rates: NDArray[np.float64], probation_s: float, stay_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The share of time that each key is on probation, and protected."""
    comes_back = -np.expm1(-rates * probation_s)
    stays = comes_back * np.expm1(np.minimum(rates * stay_s, _LARGEST))
    return comes_back / (1.0 + stays), stays / (1.0 + stays)


def _rises_to(level: float, function: Callable[[float], float], scale: float) -> float:
    """Where a rising function of a positive number reaches a level."""
    low, high = scale, scale
    while function(low) > level:
        low /= 16.0
    while function(high) < level:
        high *= 16.0
        if math.isinf(high):
            raise DomainError(f"the segments never hold {level!r} entries; give fewer than keys that are asked for")
    for _ in range(_STEPS):
        middle = math.sqrt(low) * math.sqrt(high)
        if function(middle) < level:
            low = middle
        else:
            high = middle
    return high
