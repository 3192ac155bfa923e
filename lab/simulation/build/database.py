"""Makes a database as one of its callers sees it, and the servers that all of them share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.distributions import Constant
from lab.scenario.components import Database as Spec
from lab.scenario.components import Service
from lab.simulation.database import Cluster, DatabaseClient, Pool, PooledDatabase, Server
from lab.simulation.database.client import Times
from lab.simulation.fleet import Life, Member
from lab.simulation.variate import Variate

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_database(
    world: World, name: str, spec: Spec, *, service: str | None, replica: int
) -> PooledDatabase | DatabaseClient:
    """Return the database behind the pool of one replica of a service: the plain one, where that does.

    Args:
        service: whose replica; None: whatever process a user's own component stands for.
    """
    if not world.may_fail(name) and is_plain(spec):
        return PooledDatabase(
            clock=world.clock,
            log=world.log,
            seen_from=(name, replica),
            pool=(spec.pool.size + spec.pool.overflow, spec.pool.timeout),
            round_trip=world.variate(f"{name}/round_trip", spec.round_trip),
            queries=_query_times(world, name, spec),
        )
    client = _make_client(world, name, spec, replica)
    if spec.max_connections is not None and service is not None:
        _close_at_the_end(world, client, service, replica)
    return client


def is_plain(spec: Spec) -> bool:
    """Whether pool, round trip and times are all there is to a database: then it needs no server."""
    others = set(Spec.model_fields) - {"kind", "pool", "round_trip", "queries"}
    return not spec.pool.prefill and all(getattr(spec, each) == Spec.model_fields[each].default for each in others)


def make_cluster(world: World, name: str, spec: Spec) -> Cluster:
    """Return the servers of a database, which all its callers share."""
    server = Server(
        clock=world.clock,
        log=world.log,
        name=name,
        index=0,
        cores=spec.cores,
        max_connections=spec.max_connections,
    )
    return Cluster(servers=(server,))


def _make_client(world: World, name: str, spec: Spec, replica: int) -> DatabaseClient:
    pool = Pool(
        clock=world.clock,
        server=world.database_server(name).primary,
        size=spec.pool.size,
        overflow=spec.pool.overflow,
        timeout_s=spec.pool.timeout,
    )
    if spec.pool.prefill:
        pool.prefill()
    free = isinstance(spec.connect_time, Constant) and spec.connect_time.mean == 0
    return DatabaseClient(
        clock=world.clock,
        log=world.log,
        seen_from=(name, replica),
        pool=pool,
        times=Times(
            round_trip=world.variate(f"{name}/round_trip", spec.round_trip),
            connect=None
            if free
            else {query: world.variate(f"{name}/{query}/connect_time", spec.connect_time) for query in spec.queries},
            queries=_query_times(world, name, spec),
        ),
    )


def _query_times(world: World, name: str, spec: Spec) -> dict[str, Variate]:
    return {query: world.variate(f"{name}/{query}", each.time) for query, each in spec.queries.items()}


def _close_at_the_end(world: World, client: DatabaseClient, service: str, process: int) -> None:
    """Give the connections back to the server when the process that keeps them has ended."""
    spec = world.scenario.components[service]
    assert isinstance(spec, Service)  # only services send statements
    replica = process // spec.workers

    def told(member: Member) -> None:
        if member.index == replica and member.life is Life.GONE:
            client.dispose()

    world.fleet(service).watch(told)
