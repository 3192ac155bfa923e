"""A cache bounded by time alone: an entry lives for a fixed time from when it was fetched.

A hit does not prolong its life (as with SET .. EX in Valkey). Then each cycle of a key is one miss, and
the hits of the ttl that follows. Assumes room for every entry, Poisson requests, and no time to fetch.

Source: Jung, Berger and Balakrishnan (2003), "Modeling TTL-based Internet caches", INFOCOM.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lab.theory import domain
from lab.theory.popularity import request_rates, share_of_requests


def hit_ratios(*, request_rates_per_s: ArrayLike, ttl_s: float) -> NDArray[np.float64]:
    """Return the share of each key's requests that hit: rate x ttl / (1 + rate x ttl).

    Args:
        request_rates_per_s: of each key, shape (keys,), 0 or above, not all 0.
        ttl_s: life of an entry, 0 or above.

    Returns:
        Shape (keys,), from 0 to below 1.

    >>> hit_ratios(request_rates_per_s=[0.05, 0.15], ttl_s=20.0).tolist()
    [0.5, 0.75]
    """
    expected_hits = request_rates(request_rates_per_s) * domain.non_negative(ttl_s, name="ttl_s")
    return np.asarray(expected_hits / (1.0 + expected_hits), dtype=np.float64)


def hit_ratio(*, request_rates_per_s: ArrayLike, ttl_s: float) -> float:
    """Return the share of all requests that hit. Arguments as in ``hit_ratios``.

    >>> round(hit_ratio(request_rates_per_s=[0.05, 0.15], ttl_s=20.0), 4)
    0.6875
    """
    rates = request_rates(request_rates_per_s)
    return share_of_requests(rates, hit_ratios(request_rates_per_s=rates, ttl_s=ttl_s))
