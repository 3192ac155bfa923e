"""Caches bounded by time in tiers, where the age of an entry counts from its origin.

A place of the innermost tier fetches from the origin, and everything fetched from it carries its age along: all
copies below it, in every tier, become too old at one moment. So the cycle of a key is that of the innermost place:
one fetch from the origin, ttl later everything is too old, and the next request begins anew. Within a cycle a place
asks the next tier once if anybody asks it at all. Assumes Poisson requests that are spread evenly over the places, room
for every entry, one ttl for all tiers, and no time to fetch.

Source: the renewal argument of Jung, Berger and Balakrishnan (2003), "Modeling TTL-based Internet caches", INFOCOM,
for the rule of RFC 9111, section 4.2.3; worked out here.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lab.errors import DomainError
from lab.theory import domain
from lab.theory.popularity import request_rates


def hit_ratios(*, request_rates_per_s: ArrayLike, ttl_s: float, places: Sequence[int]) -> NDArray[np.float64]:
    """Return the share of each key's look-ups that hit, tier by tier.

    Args:
        request_rates_per_s: of each key at all places together, shape (keys,), 0 or above, not all 0.
        ttl_s: how old an entry may be, 0 or above.
        places: number of places of each tier, from the clients' to the origin's; each a multiple of the next one.

    Returns:
        Shape (tiers, keys), from 0 to below 1; 0 where nobody ever asks.

    >>> hit_ratios(request_rates_per_s=[0.3], ttl_s=10.0, places=[1, 1]).tolist()  # all expires at once: no hit behind
    [[0.75], [0.0]]
    """
    rates = request_rates(request_rates_per_s)
    life_s = domain.non_negative(ttl_s, name="ttl_s")
    for outer, inner in pairwise([*places, 1]):
        if inner < 1 or outer % inner:
            raise DomainError(f"places are {list(places)}, but each must be a multiple of the next one; give such")
    innermost = places[-1]
    below = 1 + rates * life_s / innermost  # look-ups a cycle of one innermost place
    ratios = []
    for count in places:
        misses = 1 + (count / innermost - 1) * -np.expm1(-rates * life_s / count)
        ratios.append(np.maximum(1 - misses / below, 0.0))  # never negative, by no last bit
        below = misses
    return np.asarray(ratios, dtype=np.float64)
