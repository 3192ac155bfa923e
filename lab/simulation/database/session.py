"""A connection while somebody holds it, and what is asked on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab.simulation.database.pool import Connection, Pool
from lab.simulation.database.row_locks import Lock
from lab.simulation.log import Visit
from lab.simulation.variate import Variate


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One kind of statement.

    Attributes:
        time: its own, drawn.
        plan_s: what comes on top, by the rows of the table; None: nothing.
        reads: whether it gives an answer that may be stale.
        inserts: whether it adds a row.
        updates: whether it changes the row of its key.
        locks: whether it holds that row until its transaction ends.
    """

    time: Variate
    plan_s: Callable[[float], float] | None
    reads: bool
    inserts: bool
    updates: bool
    locks: bool


class Session:
    """A connection while somebody holds it, the row that tells of it, and the transaction on it.

    Attributes:
        server: number of the server that it leads to.
        known_s: what was committed by then had been answered when its present statement was sent.
        inserted: rows that its transaction has added.
        writes: whether its transaction has anything to commit.
        updates: whether its transaction has changed the row of its key.
        snapshot: how many changes were committed when its first statement came to the server; None: there was none.
        lock: the row that its transaction holds.
        identity: whose its transaction is, if it is to be done once for each request.
        claim: the right to do that.
        duplicate: whether it was done already.
        aborted: whether the server has ended the transaction by an error; the connection is good.
        conflict: whether it was over what another transaction has committed.
        failed: whether a statement found the connection broken.
        ended: whether the connection was given back.
    """

    __slots__ = (
        *("aborted", "claim", "conflict", "connection", "duplicate", "ended", "failed", "identity", "inserted"),
        *("known_s", "lock", "pool", "server", "snapshot", "under_way", "updates", "visit", "writes"),
    )

    def __init__(self, server: int, pool: Pool, connection: Connection, visit: Visit) -> None:
        self.server = server
        self.pool = pool
        self.connection = connection
        self.visit = visit
        self.known_s = 0.0
        self.inserted = 0
        self.writes = self.updates = False
        self.snapshot: int | None = None
        self.lock: Lock | None = None
        self.identity: int | None = None
        self.claim: Lock | None = None
        self.duplicate = False
        self.under_way = False  # a statement is
        self.aborted = self.conflict = False
        self.failed = False
        self.ended = False

    def done(self, statement: Statement) -> None:
        """Note what a statement has left behind, to be committed or rolled back."""
        self.inserted += statement.inserts
        self.updates |= statement.updates
        self.writes |= statement.inserts or statement.updates
