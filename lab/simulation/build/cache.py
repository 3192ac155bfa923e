"""Makes a cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.scenario.components import Cache as Spec
from lab.simulation.cache import LruCache

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_cache(world: World, name: str, spec: Spec) -> LruCache:
    """Return the cache, cold."""
    return LruCache(
        clock=world.clock,
        log=world.log,
        name=name,
        capacity=spec.capacity,
        ttl_s=spec.ttl,
        access_times={
            operation: world.variate(f"{name}/{operation}", spec.access_time) for operation in ("get", "set")
        },
    )
