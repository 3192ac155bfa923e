"""Che's approximation: the hit ratio of an LRU cache under independent requests.

An entry leaves an LRU cache when as many other keys as it has room for were asked for since its
last request. Che takes that time to be one constant for all keys: the characteristic time T, at
which the expected number of distinct keys asked for equals the capacity. A key then hits if it was
asked for within T. Assumes independent requests (no key's popularity changes), entries of equal
size, a filled cache and no time to fetch a missing one.

Source: Che, Tung and Wang (2002), IEEE JSAC 20; why it is so good: Fricker, Robert and Roberts
(2012), "A versatile and accurate approximation for LRU cache performance".
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lab.theory.popularity import request_rates, share_of_requests, time_to_fill_s


def characteristic_time_s(*, request_rates_per_s: ArrayLike, capacity: int) -> float:
    """Return how long an entry stays in the cache after its last request.

    Args:
        request_rates_per_s: of each key, shape (keys,), 0 or above, not all 0. With probabilities
            instead of rates the answer is in requests instead of seconds.
        capacity: entries that the cache holds, 0 or above.

    Returns:
        Seconds; infinite if every key that is ever asked for fits.

    >>> round(characteristic_time_s(request_rates_per_s=[1.0, 1.0], capacity=1), 4)
    0.6931
    """
    return time_to_fill_s(request_rates_per_s, capacity, lambda asked: -np.expm1(-asked))


def hit_ratios(*, request_rates_per_s: ArrayLike, capacity: int) -> NDArray[np.float64]:
    """Return the share of each key's requests that hit. Arguments as in ``characteristic_time_s``.

    Returns:
        Shape (keys,), from 0 to 1; 0 for a key that is never asked for.

    >>> hit_ratios(request_rates_per_s=[1.0, 1.0], capacity=1).round(6).tolist()
    [0.5, 0.5]
    """
    rates = request_rates(request_rates_per_s)
    stays_s = characteristic_time_s(request_rates_per_s=rates, capacity=capacity)
    if math.isinf(stays_s):
        return np.where(rates > 0.0, 1.0, 0.0)
    return np.asarray(-np.expm1(-rates * stays_s), dtype=np.float64)


def hit_ratio(*, request_rates_per_s: ArrayLike, capacity: int) -> float:
    """Return the share of all requests that hit. Arguments as in ``characteristic_time_s``.

    >>> round(hit_ratio(request_rates_per_s=[1.0, 1.0], capacity=1), 6)
    0.5
    """
    rates = request_rates(request_rates_per_s)
    ratios = hit_ratios(request_rates_per_s=rates, capacity=capacity)
    return share_of_requests(rates, ratios)
