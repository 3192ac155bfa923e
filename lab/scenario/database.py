"""A database as it is described: its statements, and the pool before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from lab.distributions import Constant, Distribution, mean_s
from lab.quantities import Count, CountOrZero, PositiveDuration, Rate, Spec
from lab.scenario.names import Name
from lab.scenario.plans import Plan, plan_time_s

_NO_TIME = Constant(mean="0s")  # type: ignore[arg-type]  # text in, seconds inside
_HALF_A_MILLISECOND = Constant(mean="500us")  # type: ignore[arg-type]  # text in, seconds inside


class Pool(Spec):
    """Connections that each replica which calls the database keeps (SQLAlchemy's pool)."""

    size: Count = Field(description="Connections kept open.", le=10_000)
    overflow: CountOrZero = Field(
        default=0,
        description="Connections beyond size when all are busy; each costs a connect_time and is closed when it is "
        "given back while size others are idle.",
        le=10_000,
    )
    timeout: PositiveDuration = Field(
        default="30s",
        validate_default=True,
        description="Longest wait for a connection; then an error.",
    )
    prefill: bool = Field(
        default=False,
        description="Whether size connections are open when the process starts; else each is opened by who first "
        "needs it.",
    )


Counterpart = Literal[
    "feed_page",
    "feed_page_unindexed",
    "feed_ids",
    "feed_author",
    "ledger_balance",
    "ledger_lock",
    "ledger_debit",
    "ledger_credit",
    "ledger_book",
    "message_insert",
    "message_deliver",
]


def _query_from_time(value: object) -> object:
    if isinstance(value, str) or (isinstance(value, dict) and "time" not in value and "kind" in value):
        return {"time": value}
    return value


class QuerySpec(Spec):
    """One kind of statement; a distribution alone is a select that takes that time."""

    time: Distribution = Field(description="Time that the statement holds its connection, round trip excluded.")
    plan: Plan | None = Field(
        default=None, description="What comes on top of time as the table grows. None: nothing, whatever its rows."
    )
    statement: Literal["select", "insert", "update", "select_for_update"] = Field(
        default="select",
        description="What is asked: a row, a new row, a change of the row of the request's key, or that row for a "
        "change to come. The last two lock the row until their transaction ends.",
    )

    measured_as: Counterpart | None = Field(
        default=None,
        description="In a measurement: which real statement of the reference backend is run, whose time is what it is, "
        "so that ``time`` here is what a calibration says. None: a statement that sleeps for the drawn time.",
    )

    @property
    def writes(self) -> bool:
        """Whether it leaves something to commit."""
        return self.statement in ("insert", "update")

    @property
    def locks(self) -> bool:
        """Whether it holds the row of the request's key until its transaction ends."""
        return self.statement in ("update", "select_for_update")

    @property
    def may_go_to_a_replica(self) -> bool:
        """Whether a server that takes no writes can do it."""
        return self.statement == "select"


class Database(Spec):
    """A relational database behind a connection pool in each replica that calls it."""

    kind: Literal["database"] = "database"
    engine: Literal["postgresql", "sqlite"] = Field(
        default="postgresql",
        description="postgresql: a server, with locks of rows. sqlite: a file (WAL mode) that the calling processes "
        "open, with one writer at a time, who polls, and readers that never wait; round_trip is 0s unless given.",
    )
    pool: Pool = Field(description="The connection pool of each replica.")
    round_trip: Distribution = Field(
        default=_HALF_A_MILLISECOND, description="Driver and network time of each statement, beside its own time."
    )
    connect_time: Distribution = Field(
        default=_NO_TIME,
        description="Time to open a connection, paid by the request that needs it (about 10ms in PostgreSQL with "
        "password authentication).",
    )
    host: Name | None = Field(
        default=None,
        description="Name of a host: each connection is a process there, and what a statement takes is CPU time, in "
        "turns with whatever else computes there. None: a statement takes the time that it takes.",
    )
    cores: Count | None = Field(
        default=None,
        description="Statements that the server executes at once, over all pools; the others queue there, first come "
        "first served. None: no limit.",
        le=10_000,
    )
    max_connections: Count | None = Field(
        default=None,
        description="Connections that the server keeps open at once; beyond it connecting fails (PostgreSQL: 100). "
        "None: no limit.",
    )
    shards: Count = Field(
        default=1,
        description="Servers, each with replicas of its own, among which the keys are divided by a hash; each has a "
        "pool of its own in each process that calls. In a Run they are NAME.shard_0, NAME.shard_1, ...",
        le=1_000,
    )
    shard_by: Literal["key", "cell"] = Field(
        default="key",
        description="What is hashed: the key, or (with keys of kind cells) its cell, whose keys are then together.",
    )
    replicas: CountOrZero = Field(
        default=0,
        description="More servers like the primary, each with a pool of its own, that apply what it commits.",
        le=100,
    )
    replication_lag: Distribution = Field(
        default=_NO_TIME,
        description="From a commit until a replica has it; a replica applies commits in their order, so that a slow "
        "one holds up those behind it.",
    )
    read_policy: Literal["primary", "replicas", "any", "read_your_writes"] = Field(
        default="primary",
        description="Where selects go, and transactions without inserts: to the primary (replicas stand by), to a "
        "replica, to any server, or to a replica except for keys that were written within pin. Chosen at random.",
    )
    pin: PositiveDuration = Field(
        default="5s",
        validate_default=True,
        description="With read_your_writes: how long a key is read from the primary after it was written.",
    )
    synchronous_replicas: CountOrZero = Field(
        default=0,
        description="How many replicas must have a commit before it is answered and its locks are released; any of "
        "them. 0: none (asynchronous); a failover then loses what no replica had.",
    )
    failover_time: PositiveDuration = Field(
        default="30s",
        validate_default=True,
        description="From the loss of the primary until a replica takes its place (Patroni: 30s until it is noticed).",
    )
    isolation: Literal["read_committed", "repeatable_read", "serializable"] = Field(
        default="read_committed",
        description="read_committed: who wants a locked row waits, and then changes what is there by then. The others: "
        "a change of a row that was committed since the transaction's first statement fails (SQLSTATE 40001).",
    )
    lock_timeout: PositiveDuration | None = Field(
        default=None, description="Longest wait for the lock of a row; then an error. None: for ever, as in PostgreSQL."
    )
    busy_timeout: PositiveDuration = Field(
        default="5s",
        validate_default=True,
        description="With engine sqlite: for how long a writer who finds the file locked sleeps and looks again "
        "(Python's timeout); then an error.",
    )
    rows: Count | None = Field(
        default=None,
        description="Rows of its table at the start, for the plans; each insert that is committed adds one.",
    )
    row_growth: Rate = Field(
        default="0/s", validate_default=True, description="Rows that others add, who are not in the scenario."
    )
    queries: dict[Name, Annotated[QuerySpec, BeforeValidator(_query_from_time)]] = Field(
        min_length=1, description="Query name to its time."
    )

    @model_validator(mode="before")
    @classmethod
    def _near(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and given.get("engine") == "sqlite" and "round_trip" not in given:
            return {**given, "round_trip": "0s"}
        return given

    def locks(self, query: str) -> bool:
        """Return whether a query holds something until its transaction ends: a row, or the right to write the file."""
        spec = self.queries[query]
        return spec.writes if self.engine == "sqlite" else spec.locks

    def statement_s_mean(self, query: str) -> float:
        """Return the mean time of a statement at the server, with the rows of the start."""
        spec = self.queries[query]
        growing_s = 0.0 if spec.plan is None or self.rows is None else plan_time_s(spec.plan, self.rows)
        return mean_s(spec.time) + growing_s
