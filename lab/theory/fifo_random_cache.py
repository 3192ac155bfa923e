"""FIFO and RANDOM caches: the approximation that Che's is for LRU, and what is exact at any size.

A full FIFO cache drops what was fetched first, a RANDOM one any entry alike; hits move nothing. Under
independent requests both have the same hit ratios (Gelenbe). What is inside is distributed as if each key were
in or out by itself, in with rate x T / (1 + rate x T), given that exactly as many as there is room for are in.
The approximation drops that condition and keeps it on average: T, the mean stay of an entry, is where the
expected number inside equals the capacity. Assumes entries of equal size, a filled cache, no time to fetch.

Source: King (1971), "Analysis of demand paging algorithms"; Gelenbe (1973), "A unified approach to the
evaluation of a class of replacement algorithms", IEEE Trans. Computers 22; Fricker, Robert and Roberts (2012),
"A versatile and accurate approximation for LRU cache performance".
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lab.errors import DomainError
from lab.theory.popularity import request_rates, share_of_requests, time_to_fill_s

_MOST_CELLS = 20_000_000  # floats in a table of keys by capacity: some 160 MB


def stay_s_mean(*, request_rates_per_s: ArrayLike, capacity: int) -> float:
    """Return how long an entry stays in the cache on average, by the approximation.

    Args:
        request_rates_per_s: of each key, shape (keys,), 0 or above, not all 0. With probabilities
            instead of rates the answer is in requests instead of seconds.
        capacity: entries that the cache holds, 0 or above.

    Returns:
        Seconds; infinite if every key that is ever asked for fits.

    >>> round(stay_s_mean(request_rates_per_s=[1.0, 1.0], capacity=1), 9)
    1.0
    """
    return time_to_fill_s(request_rates_per_s, capacity, lambda asked: 1.0 - 1.0 / (1.0 + asked))


def hit_ratios(*, request_rates_per_s: ArrayLike, capacity: int) -> NDArray[np.float64]:
    """Return the share of each key's requests that hit, by the approximation. Arguments as in ``stay_s_mean``.

    Returns:
        Shape (keys,), from 0 to 1; 0 for a key that is never asked for.

    >>> hit_ratios(request_rates_per_s=[1.0, 1.0], capacity=1).round(6).tolist()
    [0.5, 0.5]
    """
    rates = request_rates(request_rates_per_s)
    stays_s = stay_s_mean(request_rates_per_s=rates, capacity=capacity)
    if math.isinf(stays_s):
        return np.where(rates > 0.0, 1.0, 0.0)
    return np.asarray(rates * stays_s / (1.0 + rates * stays_s), dtype=np.float64)


def hit_ratio(*, request_rates_per_s: ArrayLike, capacity: int) -> float:
    """Return the share of all requests that hit, by the approximation. Arguments as in ``stay_s_mean``.

    >>> round(hit_ratio(request_rates_per_s=[2.0, 1.0], capacity=1), 6)
    0.528595
    """
    rates = request_rates(request_rates_per_s)
    ratios = hit_ratios(request_rates_per_s=rates, capacity=capacity)
    return share_of_requests(rates, ratios)


def exact_hit_ratios(*, request_rates_per_s: ArrayLike, capacity: int) -> NDArray[np.float64]:
    """Return the share of each key's requests that hit, exactly. Arguments as in ``stay_s_mean``.

    Takes keys times capacity steps, and as much room.

    Returns:
        Shape (keys,), from 0 to 1; 0 for a key that is never asked for.

    Raises:
        DomainError: more keys times capacity than fit in memory; the approximation is then as good.

    >>> exact_hit_ratios(request_rates_per_s=[2.0, 1.0], capacity=1).round(6).tolist()
    [0.666667, 0.333333]
    """
    rates = request_rates(request_rates_per_s)
    alone = hit_ratios(request_rates_per_s=rates, capacity=capacity)
    if capacity == 0 or capacity >= np.count_nonzero(rates):
        return alone
    if rates.size * capacity > _MOST_CELLS:
        raise DomainError(
            f"capacity is {capacity} and there are {rates.size} keys, but the exact sum takes a table of one by the "
            f"other, of {_MOST_CELLS} cells at most; use hit_ratios, whose error vanishes with the size"
        )
    # Any T gives the same answer; this one makes the condition as likely as can be, so nothing underflows.
    behind = _numbers_inside_behind(alone, capacity)
    before = np.zeros(capacity)  # P(0, 1, .. capacity - 1 of the keys before this one are inside)
    before[0] = 1.0
    others = np.empty(rates.size)  # P(exactly capacity - 1 of the other keys are inside)
    for key, inside in enumerate(alone):
        others[key] = before @ behind[key + 1, ::-1]
        before[1:] = before[1:] * (1.0 - inside) + before[:-1] * inside
        before[0] *= 1.0 - inside
    joint = alone * others
    return np.asarray(joint * (capacity / joint.sum()), dtype=np.float64)


def exact_hit_ratio(*, request_rates_per_s: ArrayLike, capacity: int) -> float:
    """Return the share of all requests that hit, exactly. Arguments and errors as in ``exact_hit_ratios``.

    >>> round(exact_hit_ratio(request_rates_per_s=[2.0, 1.0], capacity=1), 6)
    0.555556
    """
    rates = request_rates(request_rates_per_s)
    ratios = exact_hit_ratios(request_rates_per_s=rates, capacity=capacity)
    return share_of_requests(rates, ratios)


def _numbers_inside_behind(alone: NDArray[np.float64], capacity: int) -> NDArray[np.float64]:
    """Return, for each key and past the last, how likely 0, 1, .. capacity - 1 from it on are inside."""
    found = np.zeros((alone.size + 1, capacity))
    found[-1, 0] = 1.0
    for key in range(alone.size - 1, -1, -1):
        found[key] = found[key + 1] * (1.0 - alone[key])
        found[key, 1:] += found[key + 1, :-1] * alone[key]
    return found
