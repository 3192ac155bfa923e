"""An LRU cache of few keys, exactly: what Che's approximation, and a simulation, can be held against.

The contents of an LRU cache, read from the latest to the oldest request, are a draw without replacement by
popularity: each next key is any of those left, in proportion to its rate. So the keys inside are found by
going through all sets of at most ``capacity`` of them. Assumes independent requests, entries of equal size,
a filled cache and no time to fetch a missing one.

Source: King (1971), "Analysis of demand paging algorithms", IFIP Congress.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lab.errors import DomainError
from lab.theory import domain
from lab.theory.popularity import request_rates, share_of_requests

_MOST_SETS = 100_000  # a second or so


def hit_ratios(*, request_rates_per_s: ArrayLike, capacity: int) -> NDArray[np.float64]:
    """Return the share of each key's requests that hit.

    Args:
        request_rates_per_s: of each key, shape (keys,), 0 or above, not all 0.
        capacity: entries that the cache holds, 0 or above.

    Returns:
        Shape (keys,), from 0 to 1; 0 for a key that is never asked for.

    Raises:
        DomainError: more sets of keys than can be gone through (16 keys are always fine).

    >>> hit_ratios(request_rates_per_s=[2.0, 1.0, 1.0], capacity=2).round(6).tolist()
    [0.833333, 0.583333, 0.583333]
    """
    rates = request_rates(request_rates_per_s)
    entries = domain.whole(capacity, name="capacity", at_least=0)
    asked_for = np.flatnonzero(rates)
    if entries >= asked_for.size:
        return np.where(rates > 0.0, 1.0, 0.0)
    count = sum(math.comb(asked_for.size, size) for size in range(entries + 1))
    if count > _MOST_SETS:
        raise DomainError(
            f"capacity is {entries} and {asked_for.size} keys are asked for: {count} sets of them, more than the "
            f"{_MOST_SETS} that are gone through; take fewer keys, or lab.theory.che, which is good for many"
        )
    weights = [float(rate) for rate in rates[asked_for]]
    sets = {0: 1.0}  # how likely the latest keys are these, as bits
    for _ in range(entries):
        sets = _with_one_older(sets, weights)
    found = np.zeros(rates.size)
    for bits, share in sets.items():
        for index in range(len(weights)):
            if bits >> index & 1:
                found[asked_for[index]] += share
    return found


def hit_ratio(*, request_rates_per_s: ArrayLike, capacity: int) -> float:
    """Return the share of all requests that hit. Arguments and errors as in ``hit_ratios``.

    >>> round(hit_ratio(request_rates_per_s=[1.0, 1.0, 1.0, 1.0], capacity=3), 9)
    0.75
    """
    rates = request_rates(request_rates_per_s)
    ratios = hit_ratios(request_rates_per_s=rates, capacity=capacity)
    return share_of_requests(rates, ratios)


def _with_one_older(sets: dict[int, float], weights: list[float]) -> dict[int, float]:
    """Return the sets with one key more, asked for before those already in."""
    larger: dict[int, float] = {}
    for bits, share in sets.items():
        left = [(index, weight) for index, weight in enumerate(weights) if not bits >> index & 1]
        total = math.fsum(weight for _, weight in left)
        for index, weight in left:
            key = bits | 1 << index
            larger[key] = larger.get(key, 0.0) + share * weight / total
    return larger
