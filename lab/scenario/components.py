"""The parts of a backend, by the names that its operators use."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field

from lab.distributions import Constant, Distribution
from lab.quantities import Bytes, Count, CountOrZero, PositiveDuration, Spec
from lab.scenario.names import Name
from lab.scenario.steps import StepSpec

_NO_TIME = Constant(mean="0s")  # type: ignore[arg-type]  # text in, seconds inside
_HALF_A_MILLISECOND = Constant(mean="500us")  # type: ignore[arg-type]  # text in, seconds inside


class LoadBalancer(Spec):
    """HAProxy before the replicas of one service, with its queue."""

    kind: Literal["load_balancer"] = "load_balancer"
    targets: str = Field(description="Name of the service whose replicas it balances.")
    algorithm: Literal["roundrobin", "leastconn", "random"] = Field(
        default="roundrobin",
        description="roundrobin: in turn; leastconn: fewest requests under way; random: the less busy of two drawn "
        "with replacement.",
    )
    max_connections_per_server: Count | None = Field(
        default=None, description="Requests under way at one replica; beyond it they queue here. None: no limit."
    )
    queue_timeout: PositiveDuration = Field(
        default="1s",
        validate_default=True,
        description="Longest wait in the queue; then 503.",
    )
    server_timeout: PositiveDuration | None = Field(
        default=None, description="Longest wait for a replica's answer; then 504. None: for ever."
    )
    forward_time: Distribution = Field(
        default=_NO_TIME, description="Time to pass a request on and its answer back, network included."
    )


class Service(Spec):
    """Replicas of an application process with an event loop (uvicorn)."""

    kind: Literal["service"] = "service"
    replicas: Count = Field(default=1, description="How many processes.", le=10_000)
    concurrency: Count | None = Field(
        default=None, description="Requests that a replica works on at once. None: no limit."
    )
    backlog: CountOrZero | None = Field(
        default=None, description="Requests that may wait in a replica; beyond it: 503. None: no limit."
    )
    overhead: Distribution = Field(
        default=_NO_TIME, description="CPU time of the framework for each request, on the event loop."
    )
    endpoints: dict[Name, Annotated[tuple[StepSpec, ...], Field(min_length=1)]] = Field(
        min_length=1, description="Endpoint name to its steps."
    )


class Cache(Spec):
    """A shared cache (Valkey) that forgets the least recently used, and what is older than its time to live."""

    kind: Literal["cache"] = "cache"
    capacity: Count | None = Field(default=None, description="Entries that fit. None: all do.")
    eviction: Literal["lru"] = Field(default="lru", description="Which entry goes when it is full.")
    ttl: PositiveDuration | None = Field(default=None, description="How long an entry lives. None: for ever.")
    entry_size: Bytes = Field(
        default="256B",
        validate_default=True,
        description="Size of a value, for the real cache.",
    )
    access_time: Distribution = Field(
        default=_HALF_A_MILLISECOND, description="Time of one read or write, network included."
    )


class Pool(Spec):
    """Connections that each replica which calls the database keeps (SQLAlchemy's pool)."""

    size: Count = Field(description="Connections kept open.", le=10_000)
    overflow: CountOrZero = Field(
        default=0, description="Connections beyond size when all are busy; opening one costs nothing here.", le=10_000
    )
    timeout: PositiveDuration = Field(
        default="30s",
        validate_default=True,
        description="Longest wait for a connection; then an error.",
    )


def _query_from_time(value: object) -> object:
    if isinstance(value, str) or (isinstance(value, dict) and "time" not in value and "kind" in value):
        return {"time": value}
    return value


class QuerySpec(Spec):
    """One kind of statement; a distribution alone is a select that takes that time."""

    time: Distribution = Field(description="Time that the statement holds its connection, round trip excluded.")
    statement: Literal["select", "insert"] = Field(
        default="select", description="What the real database is asked: a row by primary key, or a new row."
    )


class Database(Spec):
    """A relational database (PostgreSQL) behind a connection pool in each replica that calls it."""

    kind: Literal["database"] = "database"
    pool: Pool = Field(description="The connection pool of each replica.")
    round_trip: Distribution = Field(
        default=_HALF_A_MILLISECOND, description="Driver and network time of each statement, beside its own time."
    )
    queries: dict[Name, Annotated[QuerySpec, BeforeValidator(_query_from_time)]] = Field(
        min_length=1, description="Query name to its time."
    )


Component = Annotated[LoadBalancer | Service | Cache | Database, Discriminator("kind")]
