"""The hit ratios that theory expects of a scenario's caches once they are warm."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

import numpy as np

from lab.scenario.cache import Cache
from lab.scenario.components import Service
from lab.scenario.mix import popularity
from lab.scenario.replicas import most_replicas
from lab.scenario.scenario import Scenario
from lab.scenario.sizes import mean_bytes
from lab.scenario.steps import CachedStep, StepSpec, nested
from lab.scenario.visits import visits
from lab.theory import che, fifo_random_cache, perfect_lfu, ttl_cache

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ratios = NDArray[np.float64]

_MOST_ROUNDS = 50
_SETTLED = 1e-9
_LRU_CLOCK_S = 1.0  # of Redis and Valkey


def hit_ratios(scenario: Scenario, rate_per_s: float) -> dict[str, float]:
    """Return the expected hit ratio of each cache that requests look into, at an arrival rate.

    Assumes independent requests, a steady state, and that a miss is stored at once. What it leaves out:

    - A cache that is full and has a time to live is taken for the stricter of the two alone.
    - Bytes count by the mean size; sampled evictions as if they saw every entry; LFU as if it knew popularities.
    - A cache behind another one, in the same endpoints, sees what that one misses, as if that were independent
      requests; behind a call of another service it is taken to see the popularity of all keys.
    - Protections against stampedes: a stale answer counts as a miss here (somebody must do the work), and early
      refreshes and invalidations come on top.
    - A key that becomes hot during the run: popularity is that at the start.

    Args:
        scenario: whose caches.
        rate_per_s: arrival rate of client requests, 0 or above.
    """
    shares = popularity(scenario)
    before = _before(scenario)
    ratios: dict[str, float] = {}
    # How often a cache is looked into hangs on the hits of the caches before it, so go round until nothing moves.
    for _ in range(_MOST_ROUNDS):
        look_ups = visits(scenario, hit_ratios=ratios, rate_per_s=rate_per_s).look_ups
        by_key: dict[str, Ratios] = {}
        new: dict[str, float] = {}
        for name in sorted(look_ups, key=lambda name: (len(before[name]), name)):  # tiers from the outside
            seen = shares
            for outer in before[name]:
                seen = seen * (1 - by_key[outer])
            if not seen.any():  # nothing is ever missed there
                by_key[name], new[name] = np.zeros(len(seen)), 0.0
                continue
            seen = seen / seen.sum()
            by_key[name] = _by_key(scenario, name, seen, rate_per_s * look_ups[name])
            new[name] = float(seen @ by_key[name])
        if all(abs(new[name] - ratios.get(name, 0.0)) < _SETTLED for name in new):
            return new
        ratios = new
    return ratios


def _before(scenario: Scenario) -> dict[str, tuple[str, ...]]:
    """The caches that every look-up of a cache comes behind, by cache, the outermost first."""
    found: dict[str, tuple[str, ...]] = {}
    for component in scenario.components.values():
        for steps in component.endpoints.values() if isinstance(component, Service) else ():
            for name, outer in _look_ups(steps, ()):
                known = found.get(name, outer)
                found[name] = tuple(each for each in known if each in outer)
    return found


def _look_ups(steps: tuple[StepSpec, ...], outer: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for step in steps:
        behind = outer
        if isinstance(step, CachedStep):
            yield step.cache, tuple(name for name in outer if name != step.cache)
            behind = (*outer, step.cache)
        for _, inner in nested(step):
            yield from _look_ups(inner, behind)


def _by_key(scenario: Scenario, name: str, shares: Ratios, rate_per_s: float) -> Ratios:
    """The hit ratio of each key: by room or by life, whichever makes fewer hits in all."""
    cache = scenario.components[name]
    assert isinstance(cache, Cache)  # the consistency check of the scenario has seen to it
    rates = shares * rate_per_s / _copies(scenario, name)
    bounds = [np.ones(len(shares))]
    if cache.bounded and _entries(cache) < np.count_nonzero(shares):
        bounds.append(_by_room(cache, shares, rates))
    if cache.ttl is not None:
        # Nobody comes before an entry is too old when nobody comes at all.
        none = np.zeros(len(shares))
        bounds.append(ttl_cache.hit_ratios(request_rates_per_s=rates, ttl_s=cache.ttl) if rates.any() else none)
    return min(bounds, key=lambda bound: float(shares @ bound))


def _entries(cache: Cache) -> float:
    if cache.capacity is not None:
        return cache.capacity
    size = mean_bytes(cache.entry_sizes) if cache.entry_sizes is not None else cache.entry_size
    return math.inf if cache.capacity_bytes is None else cache.capacity_bytes // math.ceil(size)


def _copies(scenario: Scenario, name: str) -> int:
    """Among how many caches of this name the look-ups are divided."""
    cache = scenario.components[name]
    if isinstance(cache, Cache) and cache.scope == "shared":
        return 1
    return sum(
        most_replicas(scenario, service) * component.workers
        for service, component in scenario.components.items()
        if isinstance(component, Service)
        and any(each == name for steps in component.endpoints.values() for each, _ in _look_ups(steps, ()))
    )


def _by_room(cache: Cache, shares: Ratios, rates_per_s: Ratios) -> Ratios:
    entries = int(_entries(cache))
    match cache.eviction:
        # What was asked for first is distributed like what was asked for last, so refusing is as good as LRU.
        case "lru" | "noeviction":
            return che.hit_ratios(request_rates_per_s=shares, capacity=entries)
        case "sampled_lru":
            return _sampled_lru(shares, rates_per_s, entries)
        case "fifo" | "random":
            return fifo_random_cache.hit_ratios(request_rates_per_s=shares, capacity=entries)
        case "lfu" | "sampled_lfu":
            return _least_frequently_used(shares, entries)
        case _:
            assert_never(cache.eviction)


def _sampled_lru(shares: Ratios, rates_per_s: Ratios, entries: int) -> Ratios:
    """Like LRU, unless everything turns over within one tick of the clock that tells old from new: then like RANDOM."""
    stays_s = math.inf  # when nobody comes
    if rates_per_s.any():
        stays_s = che.characteristic_time_s(request_rates_per_s=rates_per_s, capacity=entries)
    hit_ratios_of = che.hit_ratios if stays_s > _LRU_CLOCK_S else fifo_random_cache.hit_ratios
    return hit_ratios_of(request_rates_per_s=shares, capacity=entries)


def _least_frequently_used(shares: Ratios, entries: int) -> Ratios:
    """The most popular stay, but for one place, which goes to whatever was missed last (the policy A0)."""
    if entries == 0:
        return np.zeros(len(shares))
    stay = perfect_lfu.hit_ratios(request_rates_per_s=shares, capacity=entries - 1)
    missed = shares * (1 - stay)
    return np.where(stay > 0, stay, missed / missed.sum())
