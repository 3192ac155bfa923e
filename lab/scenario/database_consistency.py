"""Whether a database and the transactions on it fit together, and whether each of its keys has an effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.distributions import mean_s
from lab.quantities import default_of
from lab.scenario.cache import Cache
from lab.scenario.database import Database, QuerySpec
from lab.scenario.faults import PartitionFault, SlowDownFault, SlowLinkFault
from lab.scenario.keys import CellKeys
from lab.scenario.problems import Path, Problem, shown
from lab.scenario.stampede import StaleWhileRevalidate
from lab.scenario.steps import CachedStep, ParallelStep, QueryStep, StepSpec, TransactionStep, walk
from lab.scenario.workload import ClosedWorkload, OpenWorkload, SessionsWorkload

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario

_SERVERS_HAVE = (
    *("cores", "max_connections", "shards", "shard_by", "replicas", "replication_lag", "read_policy", "pin"),
    *("synchronous_replicas", "failover_time", "isolation", "lock_timeout", "host"),
)
_KEYED = (OpenWorkload, ClosedWorkload, SessionsWorkload)  # the others have keys in a file


def without_effect(scenario: Scenario, name: str, database: Database) -> Iterator[Problem]:
    """Yield which keys of the database ``name`` do nothing, or need another one."""
    links = [fault for fault in scenario.faults if isinstance(fault, PartitionFault | SlowLinkFault)]
    pool = () if any(name in fault.between for fault in links) else _pool(database)  # opening takes time over them
    if database.engine == "sqlite":
        problems = (*pool, *_plans(database), *_of_a_server(database))
    else:
        problems = (*pool, *_plans(database), *_replicas(database), *_locks(database))
    for keys, message in problems:
        yield Problem(path=("components", name, *keys), message=message)


def without_shards(scenario: Scenario, name: str, database: Database) -> Iterator[Problem]:
    """Yield a way to divide keys among shards that does nothing, or cannot be gone."""
    if database.host is not None:
        yield from _on_host(scenario, name, database)
    if database.shard_by == "key":
        return
    where: Path = ("components", name, "shard_by")
    if database.shards == 1:
        yield Problem(path=where, message="has no effect, as there is one shard; give it shards too, or leave it out")
    elif not (isinstance(scenario.workload, _KEYED) and isinstance(scenario.workload.keys, CellKeys)):
        message = "needs cells, and the workload's keys have none; give it keys of kind cells, or shard by key"
        yield Problem(path=where, message=message)


def _on_host(scenario: Scenario, name: str, database: Database) -> Iterator[Problem]:
    where: Path = ("components", name)
    if database.cores is not None:
        message = "has no effect, as its statements compute on the cores of a host; leave it out, or the host"
        yield Problem(path=(*where, "cores"), message=message)
    for number, fault in enumerate(scenario.faults):
        if isinstance(fault, SlowDownFault) and fault.component == name:
            message = f"{shown(name)} computes on a host, whose cores are as fast as ever; leave the host out of it"
            yield Problem(path=("faults", number, "component"), message=message)


def _pool(database: Database) -> Iterator[tuple[Path, str]]:
    if database.pool.prefill and mean_s(database.connect_time) == 0 and database.max_connections is None:
        yield (
            ("pool", "prefill"),
            "has no effect, as opening a connection costs nothing here; give a connect_time or max_connections",
        )


def _plans(database: Database) -> Iterator[tuple[Path, str]]:
    planned = [query for query, spec in database.queries.items() if spec.plan is not None]
    if planned and database.rows is None:
        yield (
            ("queries", planned[0], "plan"),
            "grows with the rows of the table, and the database has no rows; give it rows too",
        )
    if not planned:
        unused = {"rows": database.rows is not None, "row_growth": database.row_growth > 0}
        for key in (key for key, given in unused.items() if given):
            yield (key,), "has no effect, as no query has a plan whose time grows with the rows; leave it out"


def _replicas(database: Database) -> Iterator[tuple[Path, str]]:
    keys = ("replication_lag", "read_policy", "pin", "failover_time", "synchronous_replicas")
    changed = [key for key in keys if getattr(database, key) != default_of(Database, key)]
    if database.replicas == 0:
        for key in changed:
            yield (key,), "has no effect, as the database has no replicas; give it replicas too"
    elif "pin" in changed and database.read_policy != "read_your_writes":
        yield ("pin",), "has no effect, as only read_policy: read_your_writes pins keys to the primary; leave it out"
    elif database.synchronous_replicas > database.replicas:
        message = f"waits for {database.synchronous_replicas} replicas, but there are {database.replicas}; take fewer"
        yield ("synchronous_replicas",), message


def _of_a_server(database: Database) -> Iterator[tuple[Path, str]]:
    """What a file does not have."""
    for key in _SERVERS_HAVE:
        if getattr(database, key) != default_of(Database, key):
            yield (key,), "has no effect with engine: sqlite, a file that has no server; leave it out"
    writes = any(query.writes for query in database.queries.values())
    if not writes and database.busy_timeout != default_of(Database, "busy_timeout"):
        yield ("busy_timeout",), "has no effect, as no query writes; leave it out"
    for name, query in database.queries.items():
        if query.statement == "select_for_update":
            message = "SQLite has no locks of rows; let the transaction write first, which keeps all other writers out"
            yield ("queries", name, "statement"), message


def _locks(database: Database) -> Iterator[tuple[Path, str]]:
    if database.busy_timeout != default_of(Database, "busy_timeout"):
        yield ("busy_timeout",), "has no effect, as only engine: sqlite polls; leave it out, or give lock_timeout"
    if any(query.locks for query in database.queries.values()):
        return
    for key in ("isolation", "lock_timeout"):
        if getattr(database, key) != default_of(Database, key):
            yield (
                (key,),
                "has no effect, as no query locks a row; give one statement: update or select_for_update",
            )


def transaction(scenario: Scenario, step: TransactionStep, where: Path) -> Iterator[Problem]:
    """Yield what one connection cannot do of what stands inside the transaction at ``where``."""
    inside = list(walk(step.steps))
    if any(isinstance(each, TransactionStep) and each.database == step.database for each in inside):
        message = f"holds another transaction of {shown(step.database)}, and a connection can be in only one at a time"
        yield Problem(path=(*where, "steps"), message=message)
    elif not any(_asks(each, step.database) for each in inside):
        message = f"has no query of {shown(step.database)}, so it would hold a connection for nothing; add one"
        yield Problem(path=(*where, "steps"), message=message)
    yield from _isolation(scenario, step, inside, where)
    for number in _at_once(step.steps, step.database):
        message = (
            f"asks {shown(step.database)} in parallel inside a transaction, and a connection does one statement at a "
            "time; put the queries one after the other, or the parallel step outside"
        )
        yield Problem(path=(*where, "steps", number), message=message)
    for each in inside:
        if isinstance(each, CachedStep) and _outlives(scenario, each, step.database):
            message = (
                f"looks into {shown(each.cache)}, which refreshes entries in the background, where the transaction's "
                "connection is no more; put the look-up outside, or protect the cache in another way"
            )
            yield Problem(path=(*where, "steps"), message=message)


def _isolation(scenario: Scenario, step: TransactionStep, inside: list[StepSpec], where: Path) -> Iterator[Problem]:
    """Yield retries that cannot happen, and conflicts that are not modelled."""
    database = scenario.components.get(step.database)
    if not isinstance(database, Database):
        return
    asked = (each.query for each in inside if isinstance(each, QueryStep) and each.database == step.database)
    queries = [database.queries[query] for query in asked if query in database.queries]
    locks = any(query.locks for query in queries)
    if step.idempotent and not any(query.writes for query in queries):
        yield Problem(path=(*where, "idempotent"), message="has no effect, as none of its queries writes; leave it out")
    elif step.idempotent and database.engine == "sqlite":
        message = "is not modelled with engine: sqlite, where the key would take the file's lock before all reads"
        yield Problem(path=(*where, "idempotent"), message=message)
    if step.retries and not _can_conflict(database, queries):
        message = (
            "has no effect, as nothing in it can conflict: that takes a query with statement: update or "
            f"select_for_update, and isolation: repeatable_read or serializable of {shown(step.database)} (with "
            "SQLite: a select before a write)"
        )
        yield Problem(path=(*where, "retries"), message=message)
    elif not step.retries and step.backoff != default_of(TransactionStep, "backoff"):
        yield Problem(path=(*where, "backoff"), message="has no effect without retries; give them too, or leave it out")
    if database.isolation == "serializable" and not locks:
        statements = {query.statement for query in queries}
        if {"select", "insert"} <= statements:
            message = (
                f"reads and inserts under isolation: serializable of {shown(step.database)}, and the conflicts of what "
                "one transaction reads with what another inserts are not modelled; update the row that is read, or "
                "read it with statement: select_for_update"
            )
            yield Problem(path=(*where, "steps"), message=message)


def _can_conflict(database: Database, queries: list[QuerySpec]) -> bool:
    """Whether what a transaction of these queries writes may have been committed by another one since it began."""
    if database.engine == "postgresql":
        return database.isolation != "read_committed" and any(query.locks for query in queries)
    writes = [query.writes for query in queries]
    return bool(writes) and True in writes and not writes[0]


def _outlives(scenario: Scenario, step: CachedStep, database: str) -> bool:
    """Whether the steps of a miss may go on when the request that began them has ended, and ask the database then."""
    cache = scenario.components.get(step.cache)
    revalidates = isinstance(cache, Cache) and isinstance(cache.stampede_protection, StaleWhileRevalidate)
    return revalidates and any(_asks(each, database) for each in walk(step.miss))


def _asks(step: StepSpec, database: str) -> bool:
    return isinstance(step, QueryStep) and step.database == database


def _at_once(steps: tuple[StepSpec, ...], database: str) -> Iterator[int]:
    """The numbers of the steps in which queries of the database are asked in parallel."""
    for number, step in enumerate(steps):
        match step:
            case ParallelStep():
                if any(_asks(each, database) for branch in step.branches for each in walk(branch)):
                    yield number
            case CachedStep(miss=nested) | TransactionStep(steps=nested):
                if any(True for _ in _at_once(nested, database)):
                    yield number
            case _:
                pass
