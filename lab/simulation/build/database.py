"""Makes a database as one of its callers sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.scenario.components import Database as Spec
from lab.simulation.database import PooledDatabase

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_database(world: World, name: str, spec: Spec, *, replica: int) -> PooledDatabase:
    """Return the database behind the pool of one calling replica."""
    return PooledDatabase(
        clock=world.clock,
        log=world.log,
        seen_from=(name, replica),
        pool=(spec.pool.size + spec.pool.overflow, spec.pool.timeout),
        round_trip=world.variate(f"{name}/round_trip", spec.round_trip),
        queries={query: world.variate(f"{name}/{query}", each.time) for query, each in spec.queries.items()},
    )
