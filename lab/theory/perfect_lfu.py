"""A cache that knows the popularities and keeps the most popular: what LFU comes to, and no policy can beat.

Under independent requests nothing that looks at the past alone has a higher hit ratio; an LFU cache that counts
all requests for ever gets there in the end. Assumes entries of equal size, a filled cache, no time to fetch.

Source: Aho, Denning and Ullman (1971), "Principles of optimal page replacement", Journal of the ACM 18 (the
policy A0, which keeps one place for the key just fetched where every miss must be stored).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lab.theory import domain
from lab.theory.popularity import request_rates, share_of_requests


def hit_ratios(*, request_rates_per_s: ArrayLike, capacity: int) -> NDArray[np.float64]:
    """Return the share of each key's requests that hit: 1 for the most popular, 0 for the others.

    Args:
        request_rates_per_s: of each key, shape (keys,), 0 or above, not all 0; of equals the first are kept.
        capacity: entries that the cache holds, 0 or above.

    >>> hit_ratios(request_rates_per_s=[1.0, 3.0, 2.0], capacity=2).tolist()
    [0.0, 1.0, 1.0]
    """
    rates = request_rates(request_rates_per_s)
    entries = domain.whole(capacity, name="capacity", at_least=0)
    found = np.zeros(rates.size)
    found[np.argsort(-rates, kind="stable")[:entries]] = 1.0
    found[rates == 0.0] = 0.0
    return found


def hit_ratio(*, request_rates_per_s: ArrayLike, capacity: int) -> float:
    """Return the share of all requests that hit. Arguments as in ``hit_ratios``.

    >>> round(hit_ratio(request_rates_per_s=[1.0, 3.0, 2.0], capacity=2), 6)
    0.833333
    """
    rates = request_rates(request_rates_per_s)
    ratios = hit_ratios(request_rates_per_s=rates, capacity=capacity)
    return share_of_requests(rates, ratios)
