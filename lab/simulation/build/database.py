"""Makes a database as one of its callers sees it, and the servers that all of them share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, assert_never

from lab.distributions import is_free
from lab.scenario.components import Database as Spec
from lab.scenario.components import Service
from lab.scenario.plans import plan_time_s
from lab.scenario.scenario import Scenario
from lab.scenario.service import every_step
from lab.scenario.shards import ShardOf, places_of
from lab.scenario.steps import TransactionStep
from lab.simulation.database import Cluster, DatabaseClient, Pool, PooledDatabase, Server
from lab.simulation.database.client import COMMIT, TRANSACTION, Pools, Trips
from lab.simulation.database.hosted_server import HostedServer
from lab.simulation.database.remote import RemoteServer
from lab.simulation.database.replication import Replication
from lab.simulation.database.routing import Primary, ReadPolicy, ReadYourWrites, Spread
from lab.simulation.database.row_locks import Locks, RowLocks
from lab.simulation.database.session import Statement
from lab.simulation.database.shards import Shards
from lab.simulation.database.table import Table
from lab.simulation.database.write_lock import WriteLock
from lab.simulation.fleet import Life, Member
from lab.simulation.request import Part
from lab.simulation.variate import Variate

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_database(world: World, name: str, spec: Spec, *, service: str | None, replica: int) -> Part:
    """Return the database behind the pools of one replica of a service: the plain one, where that does.

    Args:
        service: whose replica; None: whatever process a user's own component stands for.
    """
    places = tuple(enumerate(places_of(name, spec)))
    plain = not world.may_fail(name) and is_plain(spec) and not _holds_transactions(world.scenario, name)
    if plain:
        pools = tuple(_make_plain(world, (name, place), spec, replica) for _, place in places)
        return pools[0] if len(pools) == 1 else Shards(clients=pools, shard_of=ShardOf(spec, world.scenario))
    clients = tuple(
        _make_client(world, (name, place), spec, cluster=world.database_server(name, shard), caller=(service, replica))
        for shard, place in places
    )
    for client in clients if service is not None else ():
        assert service is not None
        _close_at_the_end(world, client, service, replica)
    return clients[0] if len(clients) == 1 else Shards(clients=clients, shard_of=ShardOf(spec, world.scenario))


def _make_plain(world: World, named: tuple[str, str], spec: Spec, replica: int) -> PooledDatabase:
    name, place = named
    return PooledDatabase(
        clock=world.clock,
        log=world.log,
        seen_from=(place, replica),
        pool=(spec.pool.size + spec.pool.overflow, spec.pool.timeout),
        round_trip=world.variate(f"{name}/round_trip", spec.round_trip),
        queries=_query_times(world, name, spec),
    )


def is_plain(spec: Spec) -> bool:
    """Whether pool, round trip and times are all there is to a database: then it needs no server."""
    limited = (spec.cores, spec.host, spec.max_connections, spec.rows) != (None, None, None, None)
    return not limited and not spec.replicas and is_free(spec.connect_time) and not _locks(spec)


def _locks(spec: Spec) -> bool:
    return any(spec.locks(query) for query in spec.queries)


def _holds_transactions(scenario: Scenario, name: str) -> bool:
    services = [part for part in scenario.components.values() if isinstance(part, Service)]
    every = (step for service in services for step in every_step(service))
    return any(isinstance(step, TransactionStep) and step.database == name for step in every)


def make_cluster(world: World, named: tuple[str, str], spec: Spec) -> Cluster:
    """Return the servers of a database or of one of its shards, which all its callers share.

    Args:
        named: its name, by which times are drawn, and that of the shard, which its rows tell.
    """
    name, place = named
    servers = tuple(_make_server(world, place, spec, index) for index in range(1 + spec.replicas))
    return Cluster(
        log=(world.clock, world.log, place),
        servers=servers,
        table=Table(clock=world.clock, rows=spec.rows or 0, growth_per_s=spec.row_growth),
        replication=_replication(world, name, spec) if spec.replicas else None,
        failover_s=spec.failover_time,
        locks=_make_locks(world, place, spec) if _locks(spec) else None,
    )


def _make_server(world: World, place: str, spec: Spec, index: int) -> Server:
    if spec.host is None:
        return Server(
            clock=world.clock,
            log=world.log,
            name=place,
            index=index,
            cores=spec.cores,
            max_connections=spec.max_connections,
        )
    return HostedServer(
        log=(world.clock, world.log, place),
        index=index,
        max_connections=spec.max_connections,
        host=world.machines.host(spec.host),
    )


def _make_locks(world: World, place: str, spec: Spec) -> Locks:
    log = (world.clock, world.log, f"{place}.lock")
    match spec.engine:
        case "postgresql":
            return RowLocks(log=log, timeout_s=spec.lock_timeout, snapshots=spec.isolation != "read_committed")
        case "sqlite":
            return WriteLock(log=log, timeout_s=spec.busy_timeout)
        case _:
            assert_never(spec.engine)


def _replication(world: World, name: str, spec: Spec) -> Replication:
    commits = (*(query for query, each in spec.queries.items() if each.writes), COMMIT)
    lags = tuple(
        {commit: world.variate(f"{name}/{commit}/replication_lag/{server}", spec.replication_lag) for commit in commits}
        for server in range(1 + spec.replicas)
    )
    return Replication(clock=world.clock, lags=lags, synchronous=spec.synchronous_replicas)


def _make_client(
    world: World, named: tuple[str, str], spec: Spec, *, cluster: Cluster, caller: tuple[str | None, int]
) -> DatabaseClient:
    name, place = named
    service, replica = caller
    link = None if service is None else world.link(service, name)
    pools = tuple(
        Pool(
            clock=world.clock,
            server=server if link is None else RemoteServer(server=server, link=link),
            size=spec.pool.size,
            overflow=spec.pool.overflow,
            timeout_s=spec.pool.timeout,
        )
        for server in cluster.servers
    )
    if spec.pool.prefill:
        for pool in pools:
            pool.prefill()
    return DatabaseClient(
        log=world.log,
        seen_from=(place, replica),
        cluster=cluster,
        pools=Pools(to=pools, reads=_read_policy(world, name, spec, cluster)),
        trips=Trips(
            round_trip=world.variate(f"{name}/round_trip", spec.round_trip), connect=_connect_times(world, name, spec)
        ),
        statements={query: _statement(world, name, query, spec) for query in spec.queries},
    )


def _read_policy(world: World, name: str, spec: Spec, cluster: Cluster) -> ReadPolicy:
    if cluster.replication is None:
        return Primary(cluster)
    choice = {each: world.stream(f"{name}/{each}/server") for each in (*spec.queries, TRANSACTION)}
    policy = spec.read_policy
    match policy:
        case "primary":
            return Primary(cluster)
        case "any":
            return Spread(cluster, choice=choice, with_primary=True)
        case "replicas":
            return Spread(cluster, choice=choice, with_primary=False)
        case "read_your_writes":
            spread = Spread(cluster, choice=choice, with_primary=False)
            return ReadYourWrites(spread, cluster=cluster, replication=cluster.replication, pin_s=spec.pin)
        case _:
            assert_never(policy)


def _connect_times(world: World, name: str, spec: Spec) -> dict[str, Variate]:
    if is_free(spec.connect_time):
        return {}
    # A stream for each, as two queries of one request may stand at the same place in the call tree.
    return {
        each: world.variate(f"{name}/{each}/connect_time", spec.connect_time) for each in (*spec.queries, TRANSACTION)
    }


def _statement(world: World, name: str, query: str, database: Spec) -> Statement:
    spec = database.queries[query]
    return Statement(
        time=world.variate(f"{name}/{query}", spec.time),
        plan_s=None if spec.plan is None else partial(plan_time_s, spec.plan),
        reads=spec.statement in ("select", "select_for_update"),
        inserts=spec.statement == "insert",
        updates=spec.statement == "update",
        locks=database.locks(query),
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
