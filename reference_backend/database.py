"""A database as a deployment describes it: its pool, its statements, its replicas."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from reference_backend.spec import Name, Seconds, Spec


class Pool(Spec):
    """SQLAlchemy's connection pool; each replica process has one of its own."""

    size: Annotated[int, Field(ge=1, le=500)]
    overflow: Annotated[int, Field(ge=0, le=500)] = 0
    timeout_s: Seconds = 30.0


FeedStatement = Literal["feed_page", "feed_page_unindexed", "feed_ids", "feed_author"]
LedgerStatement = Literal["ledger_balance", "ledger_lock", "ledger_debit", "ledger_credit", "ledger_book"]
MessageStatement = Literal["message_insert", "message_deliver"]


class Query(Spec):
    """A statement that really runs.

    By its ``statement`` it reads the row of the request's key, inserts one, updates it, or reads and locks it; it lasts
    as long as the demand says (``pg_sleep``). A ``real`` one is what an application would send, of that kind, and
    lasts as long as it does.
    """

    statement: Literal["select", "insert", "update", "select_for_update"]
    real: FeedStatement | LedgerStatement | MessageStatement | None = None


class Database(Spec):
    """A PostgreSQL server of its own, with tables of ``rows`` rows (and ``posts`` posts, where the feed is read).

    ``replicas`` are streaming replicas of it, hot standbys that apply what was committed ``replication_lag_s`` later
    (``recovery_min_apply_delay``). Selects go where ``read_policy`` says: to the primary, to one of the replicas, or to
    any of them all, at random; everything else goes to the primary. Each process has a pool for each server. With
    ``synchronous_replicas`` a commit is answered when so many of them have applied it.
    """

    kind: Literal["database"]
    pool: Pool
    rows: Annotated[int, Field(ge=1, le=5_000_000)] = 10_000
    posts: Annotated[int, Field(ge=100, le=5_000_000)] = 50_000
    isolation: Literal["read_committed", "repeatable_read", "serializable"] = "read_committed"
    lock_timeout_s: Seconds | None = None
    replicas: Annotated[int, Field(ge=0, le=8)] = 0
    replication_lag_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    read_policy: Literal["primary", "replicas", "any"] = "primary"
    synchronous_replicas: Annotated[int, Field(ge=0, le=8)] = 0
    queries: Annotated[dict[Name, Query], Field(min_length=1)]
