"""How often each key is asked for, checked: what the cache formulas start from."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lab.errors import DomainError
from lab.theory import domain
from lab.theory.falling import reaches


def request_rates(request_rates_per_s: ArrayLike) -> NDArray[np.float64]:
    """Return the request rates of the keys as an array of shape (keys,).

    Raises:
        DomainError: no key, another shape, a rate that is negative or not finite, or all of them 0.

    >>> request_rates([2, 1]).tolist()
    [2.0, 1.0]
    """
    rates = np.asarray(request_rates_per_s, dtype=np.float64)
    if rates.ndim != 1 or rates.size == 0:
        raise DomainError(
            f"request_rates_per_s has shape {rates.shape}, but there must be one rate a key and one key at "
            "least; give a flat list of rates"
        )
    wrong = np.flatnonzero(~(np.isfinite(rates) & (rates >= 0.0)))
    if wrong.size:
        raise DomainError(
            f"request_rates_per_s[{wrong[0]}] is {float(rates[wrong[0]])!r}, but a rate is a finite number, "
            "0 or above; correct it"
        )
    if not rates.any():
        raise DomainError(
            "request_rates_per_s are all 0, but without requests there is no hit ratio; give a rate above 0"
        )
    return rates


def share_of_requests(rates: NDArray[np.float64], ratios: NDArray[np.float64]) -> float:
    """Return the share of all requests, from the share of those for each key; both of shape (keys,).

    >>> share_of_requests(np.array([3.0, 1.0]), np.array([1.0, 0.0]))
    0.75
    """
    return float((rates * ratios).sum() / rates.sum())


def time_to_fill_s(
    request_rates_per_s: ArrayLike, capacity: int, inside: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> float:
    """Return the time T at which the expected number of keys inside a cache equals its capacity.

    Args:
        request_rates_per_s: of each key, shape (keys,).
        capacity: entries that the cache holds, 0 or above.
        inside: how likely each key is inside, from its requests expected in T, both of shape (keys,); grows with them.

    Returns:
        Seconds; infinite if every key that is ever asked for fits.

    Raises:
        DomainError: as ``request_rates``, or a capacity that is negative or no whole number.
    """
    rates = request_rates(request_rates_per_s)
    entries = domain.whole(capacity, name="capacity", at_least=0)
    if entries >= np.count_nonzero(rates):
        return math.inf

    def room_left(time_s: float) -> float:
        return float(entries - inside(rates * time_s).sum())

    return reaches(room_left, level=0.0, scale=max(entries, 1) / float(rates.sum()))
