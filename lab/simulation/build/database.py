"""Makes a database as one of its callers sees it, and the servers that all of them share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lab.distributions import Constant, Distribution
from lab.scenario.components import Database as Spec
from lab.scenario.components import QuerySpec, Service
from lab.scenario.plans import plan_time_s
from lab.scenario.scenario import Scenario
from lab.scenario.steps import TransactionStep, walk
from lab.simulation.database import Cluster, DatabaseClient, Pool, PooledDatabase, Server
from lab.simulation.database.client import TRANSACTION, Statement, Trips
from lab.simulation.database.table import Table
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
    if not world.may_fail(name) and is_plain(spec) and not _holds_transactions(world.scenario, name):
        return PooledDatabase(
            clock=world.clock,
            log=world.log,
            seen_from=(name, replica),
            pool=(spec.pool.size + spec.pool.overflow, spec.pool.timeout),
            round_trip=world.variate(f"{name}/round_trip", spec.round_trip),
            queries=_query_times(world, name, spec),
        )
    client = _make_client(world, name, spec, replica)
    if service is not None:
        _close_at_the_end(world, client, service, replica)
    return client


def is_plain(spec: Spec) -> bool:
    """Whether pool, round trip and times are all there is to a database: then it needs no server."""
    limited = (spec.cores, spec.max_connections, spec.rows) != (None, None, None)
    return not limited and _is_free(spec.connect_time)


def _is_free(time: Distribution) -> bool:
    return isinstance(time, Constant) and time.mean == 0


def _holds_transactions(scenario: Scenario, name: str) -> bool:
    services = [part for part in scenario.components.values() if isinstance(part, Service)]
    every = (step for service in services for steps in service.endpoints.values() for step in walk(steps))
    return any(isinstance(step, TransactionStep) and step.database == name for step in every)


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
    table = Table(clock=world.clock, rows=spec.rows or 0, growth_per_s=spec.row_growth)
    return Cluster(clock=world.clock, servers=(server,), table=table)


def _make_client(world: World, name: str, spec: Spec, replica: int) -> DatabaseClient:
    cluster = world.database_server(name)
    pool = Pool(
        clock=world.clock,
        server=cluster.primary,
        size=spec.pool.size,
        overflow=spec.pool.overflow,
        timeout_s=spec.pool.timeout,
    )
    if spec.pool.prefill:
        pool.prefill()
    return DatabaseClient(
        log=world.log,
        seen_from=(name, replica),
        cluster=cluster,
        pool=pool,
        trips=Trips(
            round_trip=world.variate(f"{name}/round_trip", spec.round_trip), connect=_connect_times(world, name, spec)
        ),
        statements={query: _statement(world, name, query, each) for query, each in spec.queries.items()},
    )


def _connect_times(world: World, name: str, spec: Spec) -> dict[str, Variate]:
    if _is_free(spec.connect_time):
        return {}
    # A stream for each, as two queries of one request may stand at the same place in the call tree.
    return {
        each: world.variate(f"{name}/{each}/connect_time", spec.connect_time) for each in (*spec.queries, TRANSACTION)
    }


def _statement(world: World, name: str, query: str, spec: QuerySpec) -> Statement:
    return Statement(
        time=world.variate(f"{name}/{query}", spec.time),
        plan_s=None if spec.plan is None else partial(plan_time_s, spec.plan),
        inserts=spec.statement == "insert",
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
