"""The hit ratios that theory expects of a scenario's caches once they are warm."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, assert_never

import numpy as np

from lab.scenario.cache import Cache
from lab.scenario.channels import Channel
from lab.scenario.components import Cdn, Service
from lab.scenario.fronts import leads_to
from lab.scenario.mix import popularity, request_mix
from lab.scenario.replicas import most_replicas
from lab.scenario.scenario import Scenario
from lab.scenario.service import every_step
from lab.scenario.sizes import mean_bytes
from lab.scenario.steps import CachedStep, CallStep, StepSpec, nested
from lab.scenario.visits import visits
from lab.theory import che, fifo_random_cache, perfect_lfu, segmented_lru, ttl_cache, ttl_tiers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ratios = NDArray[np.float64]

_MOST_ROUNDS = 50
_SETTLED = 1e-9
_LRU_CLOCK_S = 1.0  # of Redis and Valkey


def hit_ratios(scenario: Scenario, rate_per_s: float) -> dict[str, float]:
    """Return the expected hit ratio of each cache that requests look into, at an arrival rate.

    That of a cdn stands under its name, and of each endpoint that it keeps under ``NAME/ENDPOINT``.

    Assumes independent requests, a steady state, and that a miss is stored at once. What it leaves out:

    - A cache that is full and has a time to live is taken for the stricter of the two alone.
    - Bytes count by the mean size; sampled evictions as if they saw every entry; LFU as if it knew popularities.
    - A cache behind another one, in the same endpoints, sees what that one misses, as if that were independent
      requests; behind a call of another service it is taken to see the popularity of all keys.
    - Protections against stampedes: a stale answer counts as a miss here (somebody must do the work), and early
      refreshes and invalidations come on top.
    - Requests that are collapsed count as misses here, although they fetch nothing.
    - Tiers of a cdn that are full, or keep an endpoint for different times, are each taken for themselves.
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
        asked: dict[str, Ratios] = {}
        by_key: dict[str, Ratios] = {}
        for name in _from_outside(look_ups, before):
            own = {each: look_ups[each] for each in look_ups if _component(each) == name}
            for each, look_ups_a_request in own.items():
                seen = shares
                for outer in before[each]:
                    seen = seen * (1 - by_key[outer])
                asked[each] = seen / (seen.sum() or 1.0) * look_ups_a_request
            by_key |= _by_key(scenario, name, {each: asked[each] for each in own}, asked, rate_per_s)
        new = {each: _mean(by_key[each], asked[each]) for each in look_ups}
        if all(abs(new[each] - ratios.get(each, 0.0)) < _SETTLED for each in new):
            return new | _of_all_endpoints(scenario, new, look_ups)
        ratios = new
    return ratios | _of_all_endpoints(scenario, ratios, look_ups)


def _component(look_up: str) -> str:
    return look_up.partition("/")[0]  # of a cdn it is NAME/ENDPOINT


def _from_outside(look_ups: Iterable[str], before: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The components that are looked into, each after all that stand before it."""
    outside: dict[str, set[str]] = {}
    for each in look_ups:
        outside.setdefault(_component(each), set()).update(_component(outer) for outer in before[each])
    return list(TopologicalSorter(outside).static_order())


def _mean(ratios: Ratios, look_ups: Ratios) -> float:
    """The ratio over all keys: 0 where nobody asks."""
    return min(float(ratios @ look_ups / look_ups.sum()), 1.0) if look_ups.any() else 0.0  # 1 whatever its last bit


def _of_all_endpoints(
    scenario: Scenario, ratios: Mapping[str, float], look_ups: Mapping[str, float]
) -> dict[str, float]:
    """The ratio of each cdn over all of its endpoints that it keeps."""
    found: dict[str, float] = {}
    for name, component in scenario.components.items():
        own = [each for each in look_ups if _component(each) == name]
        total = sum(look_ups[each] for each in own)
        if isinstance(component, Cdn) and total > 0:
            found[name] = sum(ratios[each] * look_ups[each] for each in own) / total
    return found


def _before(scenario: Scenario) -> dict[str, tuple[str, ...]]:
    """The look-ups that every look-up of a cache comes behind, the outermost first."""
    found: dict[str, tuple[str, ...]] = {}
    for start, endpoint in _asked(scenario):
        way, outer = leads_to(scenario, start), tuple[str, ...]()
        looks: list[tuple[str, tuple[str, ...]]] = []
        for name in way:
            component = scenario.components[name]
            if isinstance(component, Cdn) and endpoint in component.max_age:
                looks.append((f"{name}/{endpoint}", outer))
                outer = (*outer, f"{name}/{endpoint}")
            if isinstance(component, Service):
                looks += _look_ups(component.endpoints[endpoint], outer)
        for look_up, behind in looks:
            known = found.get(look_up, behind)
            found[look_up] = tuple(each for each in known if each in behind)
    return found


def _asked(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Who is asked for which endpoint: by clients, by services, by queues."""
    yield from ((scenario.entry, endpoint) for endpoint in request_mix(scenario))
    for component in scenario.components.values():
        if isinstance(component, Service):
            calls = (step for step in every_step(component) if isinstance(step, CallStep))
            yield from ((step.target, step.endpoint) for step in calls)
        if isinstance(component, Channel):
            yield component.consumer, component.endpoint


def _look_ups(steps: tuple[StepSpec, ...], outer: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for step in steps:
        behind = outer
        if isinstance(step, CachedStep):
            yield step.cache, tuple(name for name in outer if name != step.cache)
            behind = (*outer, step.cache)
        for _, inner in nested(step):
            yield from _look_ups(inner, behind)


def _by_key(
    scenario: Scenario, name: str, own: Mapping[str, Ratios], asked: Mapping[str, Ratios], rate_per_s: float
) -> dict[str, Ratios]:
    """The hit ratio of each key, by look-up: by room or by life, whichever makes fewer hits in all.

    Args:
        own: how often a request looks each key up, by look-up of this component.
        asked: the same of this component and of all that stand before it.
        rate_per_s: arrival rate of client requests.
    """
    part = scenario.components[name]
    assert isinstance(part, Cache | Cdn)  # the consistency check of the scenario has seen to it
    copies = _copies(scenario, name)
    together = np.concatenate(list(own.values()))
    rates = {look_up: every * rate_per_s / copies for look_up, every in own.items()}
    bounds = [{look_up: np.ones(len(every)) for look_up, every in own.items()}]
    if part.bounded and _entries(part) < np.count_nonzero(together):
        found = _by_room(part, together / together.sum(), together * rate_per_s / copies)
        bounds.append(dict(zip(own, np.split(found, len(own)), strict=True)))
    if isinstance(part, Cdn):
        every_s = {look_up: shares * rate_per_s for look_up, shares in asked.items()}
        bounds.append({look_up: _by_age(scenario, look_up, rates[look_up], every_s) for look_up in own})
    elif part.ttl is not None:
        bounds.append(
            {look_up: _by_life(rates[look_up], part.ttl, renewed=part.ttl_from == "access") for look_up in own}
        )
    return min(bounds, key=lambda bound: sum(float(own[look_up] @ bound[look_up]) for look_up in own))


def _by_life(rates_per_s: Ratios, ttl_s: float, *, renewed: bool = False) -> Ratios:
    if not rates_per_s.any():  # nobody comes before an entry is too old when nobody comes at all
        return np.zeros(len(rates_per_s))
    if renewed:  # a hit is whoever comes within a life of the one before
        return np.asarray(-np.expm1(-rates_per_s * ttl_s), dtype=np.float64)
    return ttl_cache.hit_ratios(request_rates_per_s=rates_per_s, ttl_s=ttl_s)


def _by_age(scenario: Scenario, look_up: str, rates_per_s: Ratios, asked_per_s: Mapping[str, Ratios]) -> Ratios:
    """By the age since the origin: exact for tiers that keep all for equally long; else each tier by itself."""
    name, _, endpoint = look_up.partition("/")
    first = next(each for each in asked_per_s if each.endswith(f"/{endpoint}") and name in _tiers(scenario, each))
    tiers = _tiers(scenario, first)
    parts = [part for part in (scenario.components[each] for each in tiers) if isinstance(part, Cdn)]
    ages_s = {part.max_age[endpoint] for part in parts}
    if len(parts) == 1 or len(ages_s) > 1 or any(part.bounded for part in parts) or not asked_per_s[first].any():
        part = parts[tiers.index(name)]
        return _by_life(rates_per_s, part.max_age[endpoint])
    places = [part.points_of_presence for part in parts]
    every = ttl_tiers.hit_ratios(request_rates_per_s=asked_per_s[first], ttl_s=ages_s.pop(), places=places)
    return np.asarray(every[tiers.index(name)], dtype=np.float64)


def _tiers(scenario: Scenario, look_up: str) -> list[str]:
    """The tiers that keep what a look-up asks for, from its own inwards."""
    name, _, endpoint = look_up.partition("/")
    found = []
    for each in leads_to(scenario, name):
        part = scenario.components[each]
        if isinstance(part, Cdn) and endpoint in part.max_age:
            found.append(each)
    return found


def _entries(cache: Cache | Cdn) -> float:
    nodes = cache.nodes if isinstance(cache, Cache) else 1
    if cache.capacity is not None:
        return cache.capacity * nodes
    size = mean_bytes(cache.entry_sizes) if cache.entry_sizes is not None else cache.entry_size
    return math.inf if cache.capacity_bytes is None else cache.capacity_bytes // math.ceil(size)


def _copies(scenario: Scenario, name: str) -> int:
    """Among how many caches of this name the look-ups are divided."""
    cache = scenario.components[name]
    if isinstance(cache, Cdn):
        return cache.points_of_presence
    if isinstance(cache, Cache) and cache.scope == "shared":
        return 1
    return sum(
        most_replicas(scenario, service) * component.workers
        for service, component in scenario.components.items()
        if isinstance(component, Service)
        and any(each == name for steps in component.endpoints.values() for each, _ in _look_ups(steps, ()))
    )


def _by_room(cache: Cache | Cdn, shares: Ratios, rates_per_s: Ratios) -> Ratios:
    entries = int(_entries(cache))
    match cache.eviction:
        # What was asked for first is distributed like what was asked for last, so refusing is as good as LRU.
        case "lru" | "noeviction":
            return che.hit_ratios(request_rates_per_s=shares, capacity=entries)
        case "slru":
            protected = min(int(entries * cache.protected_share + _SETTLED), entries - 1)
            if entries == 0:
                return np.zeros(len(shares))
            return _segmented(shares.tobytes(), entries - protected, protected)
        case "sampled_lru":
            return _sampled_lru(shares, rates_per_s, entries)
        case "fifo" | "random":
            return fifo_random_cache.hit_ratios(request_rates_per_s=shares, capacity=entries)
        case "lfu" | "sampled_lfu":
            return _least_frequently_used(shares, entries)
        case _:
            assert_never(cache.eviction)


@lru_cache(maxsize=16)  # it hangs on no rate, and takes long
def _segmented(shares: bytes, probationary: int, protected: int) -> Ratios:
    rates = np.frombuffer(shares, dtype=np.float64)
    return segmented_lru.hit_ratios(request_rates_per_s=rates, probationary=probationary, protected=protected)


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
