"""Makes a cache."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from lab.randomness import name_key
from lab.scenario import stampede
from lab.scenario.cache import Cache as Spec
from lab.simulation.build.contents import make_eviction, size_of
from lab.simulation.cache import Cache, Contents, Nodes
from lab.simulation.cache.cache import OPERATIONS
from lab.simulation.cache.early import EarlyRefresh
from lab.simulation.cache.locks import Locks
from lab.simulation.cache.placing import Ketama, Modulo, Placing
from lab.simulation.cache.renewed import RenewedContents
from lab.simulation.link import Breakable
from lab.simulation.request import Part, Request

if TYPE_CHECKING:
    from lab.simulation.build.world import World

_WARM = name_key("warm")


def make_nodes(world: World, name: str, spec: Spec) -> Nodes:
    """Return the nodes of a shared cache, each with the entries of its own keys if they are to be warm."""
    placing: Placing = Ketama(spec.nodes) if spec.hash_type == "ketama" else Modulo()
    every = range(spec.nodes)

    def make(node: int) -> Part:
        def keeps(key: int) -> bool:
            return placing.node(key, every) == node

        return world.own_part(name, node) or make_cache(world, name, spec, replica=node, keeps=keeps)

    nodes = [make(node) for node in every]
    fronts = [Breakable(clock=world.clock, log=world.log, name=name, part=node) for node in nodes]
    return Nodes(name=name, nodes=nodes, fronts=fronts, placing=placing, ejects=spec.auto_eject)


def make_cache(
    world: World, name: str, spec: Spec, *, replica: int, keeps: Callable[[int], bool] = lambda _: True
) -> Cache:
    """Return the cache: warm if it is to be so at the start of the run, else cold.

    Args:
        replica: which one it is, of those of this name.
        keeps: whether a key is kept here.
    """
    protection = spec.stampede_protection
    kind = Contents if spec.ttl_from == "write" else RenewedContents
    contents = kind(
        eviction=make_eviction(world, name, spec),
        room=spec.capacity or spec.capacity_bytes or math.inf,
        size=size_of(world, name, spec),
        life_s=_life_s(world, name, spec),
        stale_for_s=protection.stale_for if isinstance(protection, stampede.StaleWhileRevalidate) else 0.0,
    )
    if spec.warm is not None and world.clock.now == 0:
        ages = world.stream(f"{name}/age")
        # Keys are numbered by popularity.
        writes = (Request(key, 0, "set", key, _WARM) for key in range(spec.warm.entries) if keeps(key))
        contents.fill(writes, age=ages.uniform)
    return Cache(
        clock=world.clock,
        log=world.log,
        named=(name, replica),
        contents=contents,
        access_times={each: world.variate(f"{name}/{each}", spec.time_of_access) for each in OPERATIONS},
        protection=_protection(world, name, spec),
    )


def _protection(world: World, name: str, spec: Spec) -> EarlyRefresh | Locks | None:
    match spec.stampede_protection:
        case stampede.EarlyRefresh(beta=beta):
            return EarlyRefresh(beta=beta, draws=world.stream(f"{name}/early_refresh"))
        case stampede.Lock(lock_timeout=hold_s):
            return Locks(hold_s=hold_s)
        case _:
            return None  # the others live in the processes that call


def _life_s(world: World, name: str, spec: Spec) -> Callable[[Request], float]:
    ttl_s = math.inf if spec.ttl is None else spec.ttl
    if not spec.ttl_jitter:
        return lambda _: ttl_s
    draws, low_s, span_s = world.stream(f"{name}/ttl"), ttl_s * (1 - spec.ttl_jitter), 2 * ttl_s * spec.ttl_jitter
    return lambda request: low_s + span_s * draws.uniform(request.number, request.attempt, request.visit)
