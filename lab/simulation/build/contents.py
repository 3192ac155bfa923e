"""Makes what decides over the contents of a part with room for entries: who goes, and what each takes up."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, assert_never

from lab.scenario.components import Cache, Cdn
from lab.scenario.sizes import size_function
from lab.simulation.cache.eviction import AnyEntry, Eviction, Fifo, Lfu, Lru, NoEviction
from lab.simulation.cache.sampled import SampledLfu, SampledLru
from lab.simulation.cache.segmented import SegmentedLru

if TYPE_CHECKING:
    from lab.simulation.build.world import World

Bounded = Cache | Cdn
_ROUNDING = 1e-9  # 80 % of 5 entries are 4, whatever the last bit


def make_eviction(world: World, name: str, spec: Bounded) -> Eviction:
    """Return what says which entry goes when the room of a part is full."""
    if not spec.bounded:
        return NoEviction()
    draws = world.stream(f"{name}/eviction")
    match spec.eviction:
        case "lru":
            return Lru()
        case "lfu":
            return Lfu()
        case "fifo":
            return Fifo()
        case "random":
            return AnyEntry(draws=draws)
        case "slru":
            room = (spec.capacity or spec.capacity_bytes or math.inf) * spec.protected_share
            return SegmentedLru(protected_room=math.floor(room + _ROUNDING), size=size_of(world, name, spec))
        case "sampled_lru":
            return SampledLru(clock=world.clock, draws=draws, samples=spec.samples)
        case "sampled_lfu":
            counting = world.stream(f"{name}/frequency")
            return SampledLfu(clock=world.clock, draws=(draws, counting), samples=spec.samples)
        case "noeviction":
            return NoEviction()
        case _:
            assert_never(spec.eviction)


def size_of(world: World, name: str, spec: Bounded) -> Callable[[int], int]:
    """Return what gives the size of an entry in the unit in which its room is given."""
    if spec.capacity_bytes is None:
        return lambda _: 1
    if spec.entry_sizes is None:
        every = math.ceil(spec.entry_size)
        return lambda _: every
    size, draws, known = size_function(spec.entry_sizes), world.stream(f"{name}/size"), dict[int, int]()

    def of(key: int) -> int:
        if key not in known:
            known[key] = math.ceil(size(draws.uniform(key)))
        return known[key]

    return of
