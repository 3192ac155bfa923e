"""Whether the keys of a cache fit together, and whether its look-ups can end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lab.quantities import default_of
from lab.scenario.cache import SAMPLES, Cache
from lab.scenario.cdn import Cdn
from lab.scenario.components import Component
from lab.scenario.problems import Path, Problem
from lab.scenario.stampede import EarlyRefresh, Lock, SingleFlight, StaleWhileRevalidate
from lab.scenario.steps import CachedStep, StepSpec, nested


def cache_problems(cache: Cache, where: Path, *, keys: int | None) -> Iterator[Problem]:
    """Yield what is wrong between the keys of a cache.

    Args:
        cache: the cache.
        where: its path in the scenario.
        keys: how many different keys requests are about; None where a recording tells.
    """
    protection = cache.stampede_protection
    yield from room_problems(cache, where)
    if cache.ttl is None and cache.ttl_jitter:
        yield _problem(where, "ttl_jitter", "has no effect without a ttl; give that too")
    if cache.ttl is None and isinstance(protection, EarlyRefresh | StaleWhileRevalidate):
        message = f"{protection.kind} has no effect without a ttl: entries never expire; give that too"
        yield _problem(where, "stampede_protection", message)
    if cache.ttl_from == "access" and (
        cache.ttl is None or isinstance(protection, EarlyRefresh | StaleWhileRevalidate)
    ):
        odds = f"is at odds with {protection.kind}, as what is used would not expire; choose one of the two"
        message = "has no effect without a ttl; give that too" if cache.ttl is None else odds
        yield _problem(where, "ttl_from", message)
    yield from _node_problems(cache, where)
    if cache.scope == "replica" and isinstance(protection, Lock):
        message = "a lock is for a cache that replicas share; within one process use single_flight"
        yield _problem(where, "stampede_protection", message)
    if cache.warm is not None and keys is not None and cache.warm.entries > keys:
        message = f"{cache.warm.entries} entries, but requests are about {keys} different keys (workload.keys)"
        yield _problem(where, "warm", message)


def _node_problems(cache: Cache, where: Path) -> Iterator[Problem]:
    if cache.nodes > 1 and cache.scope == "replica":
        yield _problem(where, "nodes", "are of a cache that callers share; one in each process is whole: leave it out")
    for key in ("hash_type", "auto_eject") if cache.nodes == 1 else ():
        if getattr(cache, key) != default_of(Cache, key):
            yield _problem(where, key, "has no effect, as there is but one node; give it nodes too")


def room_problems(part: Cache | Cdn, where: Path) -> Iterator[Problem]:
    """Yield what is wrong between the keys that say how much fits into a part, and what goes when it is full."""
    if part.capacity is not None and part.capacity_bytes is not None:
        message = f"stands beside capacity; a {part.kind} has one limit: take one of them out"
        yield _problem(where, "capacity_bytes", message)
    if not part.bounded and part.eviction != "lru":
        yield _problem(where, "eviction", "has no effect, as all entries fit; give it a capacity or capacity_bytes")
    if not part.eviction.startswith("sampled") and part.samples != SAMPLES:
        yield _problem(where, "samples", f"has no effect with eviction: {part.eviction}, which looks at every entry")
    if part.eviction != "slru" and part.protected_share != default_of(type(part), "protected_share"):
        message = f"has no effect with eviction: {part.eviction}, which protects nobody; only slru has segments"
        yield _problem(where, "protected_share", message)
    if part.entry_sizes is not None and part.capacity_bytes is None:
        yield _problem(where, "entry_sizes", "has no effect, as sizes count for capacity_bytes only; give that too")


def _problem(where: Path, key: str, message: str) -> Problem:
    return Problem(path=(*where, key), message=message)


def looked_up_twice(
    components: Mapping[str, Component], steps: tuple[StepSpec, ...], where: Path, under_way: tuple[str, ...] = ()
) -> Iterator[Problem]:
    """Yield the look-ups that would wait for the very miss that they are part of.

    Args:
        components: of the scenario.
        steps: of an endpoint.
        where: their path in the scenario.
        under_way: the caches whose miss these steps are part of.
    """
    for number, step in enumerate(steps):
        here, behind = (*where, number), under_way
        if isinstance(step, CachedStep):
            cache = components.get(step.cache)
            protection = cache.stampede_protection if isinstance(cache, Cache) else None
            if step.cache in under_way and isinstance(protection, SingleFlight | Lock):
                message = (
                    f"looks the same key up again while a miss of {step.cache!r} is under way, and with "
                    f"{protection.kind} would wait for itself; take one of the look-ups out"
                )
                yield Problem(path=(*here, "cache"), message=message)
            behind = (*under_way, step.cache)
        for below, inner in nested(step):
            yield from looked_up_twice(components, inner, (*here, *below), behind)
