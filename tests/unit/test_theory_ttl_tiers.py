"""Tiers of caches bounded by time: by hand, at the limits, and against a plain simulation of the rule."""

from __future__ import annotations

import numpy as np
import pytest

from lab.errors import DomainError
from lab.theory import ttl_cache, ttl_tiers


def test_one_tier_is_the_renewal_formula() -> None:
    """With one place; several places are as many caches that share the requests."""
    rates = [0.5, 2.0]
    one = ttl_tiers.hit_ratios(request_rates_per_s=rates, ttl_s=3.0, places=[1])
    assert one[0] == pytest.approx(ttl_cache.hit_ratios(request_rates_per_s=rates, ttl_s=3.0))
    four = ttl_tiers.hit_ratios(request_rates_per_s=rates, ttl_s=3.0, places=[4])
    assert four[0] == pytest.approx(ttl_cache.hit_ratios(request_rates_per_s=np.divide(rates, 4), ttl_s=3.0))


def test_the_origin_is_asked_once_a_cycle() -> None:
    """What all tiers miss is one request in ttl + 1 / rate, whatever stands before the innermost place."""
    ratios = ttl_tiers.hit_ratios(request_rates_per_s=[4.0], ttl_s=2.0, places=[12, 3, 1])
    assert 4.0 * np.prod(1 - ratios) == pytest.approx(1 / (2.0 + 1 / 4.0))


def test_many_places_behind_which_one_stands() -> None:
    """A popular key misses once a cycle in each of 5 places, so the inner tier answers 4 of 5."""
    ratios = ttl_tiers.hit_ratios(request_rates_per_s=[1e4], ttl_s=10.0, places=[5, 1])
    assert ratios[:, 0] == pytest.approx([1 - 5e-5, 0.8], abs=1e-6)


@pytest.mark.slow
def test_a_plain_simulation_agrees() -> None:
    """200,000 requests at random places: each tier within 0.01."""
    rng, ttl_s, rate, places = np.random.default_rng(3), 4.0, 1.5, (6, 2, 1)
    gave_s: list[dict[int, float]] = [{} for _ in places]
    looked, hits, now_s = np.zeros(3), np.zeros(3), 0.0
    for _ in range(200_000):
        now_s += rng.exponential(1 / rate)
        where, given_s = rng.random(), now_s
        asked = []
        for tier, count in enumerate(places):
            place = int(where * count)
            looked[tier] += 1
            if now_s - gave_s[tier].get(place, -np.inf) < ttl_s:
                hits[tier] += 1
                given_s = gave_s[tier][place]
                break
            asked.append((tier, place))
        for tier, place in asked:
            gave_s[tier][place] = given_s
    found = ttl_tiers.hit_ratios(request_rates_per_s=[rate], ttl_s=ttl_s, places=places)[:, 0]
    assert hits / looked == pytest.approx(found, abs=0.01)


@pytest.mark.parametrize("places", [[3, 2], [1, 2], [2, 0]])
def test_places_must_divide(places: list[int]) -> None:
    """A place belongs to one place of the next tier."""
    with pytest.raises(DomainError, match="multiple of the next"):
        ttl_tiers.hit_ratios(request_rates_per_s=[1.0], ttl_s=1.0, places=places)
