"""A database as one process sees it: a pool of connections to each of its servers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass

from simpy.events import Event

from lab.simulation.clock import Clock
from lab.simulation.database.cluster import Cluster
from lab.simulation.database.pool import Connection, Pool
from lab.simulation.database.routing import ReadPolicy
from lab.simulation.log import Log, Visit
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.variate import Variate

COMMIT, ROLLBACK, TRANSACTION = "commit", "rollback", "transaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One kind of statement.

    Attributes:
        time: its own, drawn.
        plan_s: what comes on top, by the rows of the table; None: nothing.
        inserts: whether it adds a row.
    """

    time: Variate
    plan_s: Callable[[float], float] | None
    inserts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trips:
    """What is spent on the way.

    Attributes:
        round_trip: driver and network, for each statement; half of it before the server, half after.
        connect: to open a connection, by what needs it: a query, or ``transaction``; empty where that takes no time.
    """

    round_trip: Variate
    connect: Mapping[str, Variate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """The pools of one process.

    Attributes:
        to: by the number of the server.
        reads: which server a read goes to.
    """

    to: tuple[Pool, ...]
    reads: ReadPolicy


class Session:
    """A connection while somebody holds it, and the row that tells of it."""

    __slots__ = ("connection", "ended", "failed", "inserted", "pool", "server", "visit")

    def __init__(self, server: int, pool: Pool, connection: Connection, visit: Visit) -> None:
        self.server = server
        self.pool = pool
        self.connection = connection
        self.visit = visit
        self.inserted = 0
        self.failed = False  # a statement found the connection broken
        self.ended = False


class DatabaseClient:
    """Takes a connection, opens it if need be, sends the statement and gives the connection back.

    ::

        arrives --> which server? --> connection of its pool --timeout--> error (500)
                        | opened now, or before
                    half a round trip --> server --> half a round trip --> gives the connection back
                                            `--crashed, refused--> error at once; the pool is taken to be broken

    A transaction does the same, but sends several statements before it gives the connection back.
    """

    def __init__(
        self,
        *,
        log: Log,
        seen_from: tuple[str, int],
        cluster: Cluster,
        pools: Pools,
        trips: Trips,
        statements: Mapping[str, Statement],
    ) -> None:
        self._clock: Clock = cluster.clock
        self._log = log
        self._name, self._replica = seen_from
        self._cluster = cluster
        self._pools = pools
        self._trips = trips
        self._statements = statements

    def handle(self, request: Request) -> Handling:
        """Do one statement, which commits by itself."""
        session = yield from self.begin(request, writes=self._statements[request.operation].inserts)
        if session is None:
            return Outcome.ERROR
        outcome = yield from self.execute(session, request, commits=True)
        return self.end(session, outcome)

    def begin(self, request: Request, *, writes: bool) -> Generator[Event, object, Session | None]:
        """Take a connection and see that it is open; return None if there was none in time, or it was refused."""
        clock = self._clock
        server = self._cluster.primary if writes else self._pools.reads.choose(request)
        pool = self._pools.to[server]
        name = f"{self._name}.replica_{server}" if server else self._name
        visit = self._log.open_visit(request, name, self._replica, clock.now)
        connection = yield from pool.take()
        if connection is None:
            visit.turn_away(clock.now, Outcome.ERROR if pool.disposed else Outcome.TIMEOUT)
            return None
        visit.admit(clock.now)
        session = Session(server, pool, connection, visit)
        if not pool.is_open(connection):
            connect = self._trips.connect
            opened = yield from pool.open(connection, connect[request.operation](request) if connect else 0.0)
            visit.service_time_s = clock.now - visit.admitted_s
            if not opened:
                self.end(session, Outcome.ERROR)
                return None
        return session

    def execute(self, session: Session, request: Request, *, commits: bool) -> Handling:
        """Do a statement on the connection; unless it commits, what it writes is not in the table yet."""
        return self._send(session, request, self._statements[request.operation], commits=commits)

    def finish(self, session: Session, request: Request, *, commit: bool) -> Handling:
        """End a transaction by a statement of its own, unless its connection is broken; give the connection back."""
        if session.failed:
            return self.end(session, Outcome.ERROR)
        asked = request.child(COMMIT if commit else ROLLBACK, request.visit)
        outcome = yield from self._send(session, asked, None, commits=commit)
        return self.end(session, outcome if commit else Outcome.ERROR)

    def end(self, session: Session, outcome: Outcome) -> Outcome:
        """Give the connection back and close its row."""
        if not session.ended:
            session.ended = True
            session.pool.give_back(session.connection, broken=session.failed)
            session.visit.close(self._clock.now, outcome)
        return outcome

    def dispose(self) -> None:
        """Close all connections: the process has ended."""
        for pool in self._pools.to:
            pool.dispose()

    def _send(self, session: Session, request: Request, statement: Statement | None, *, commits: bool) -> Handling:
        clock, visit = self._clock, session.visit
        half_trip_s = self._trips.round_trip(request) / 2
        yield clock.timeout(half_trip_s)
        if not session.ended:
            visit.service_time_s += half_trip_s
        work_s = 0.0 if statement is None else self._work_s(statement, request)
        reads = statement is not None and not statement.inserts
        begins = self._cluster.reading(request.key, session.server) if reads else None
        outcome = yield from session.pool.server.execute(request, work_s, session.connection.generation, begins)
        if outcome is Outcome.OK:
            session.inserted += statement is not None and statement.inserts
            if commits and session.inserted:
                self._cluster.commit(request, session.inserted)
        if session.ended:  # the process has died meanwhile: nobody reads the answer
            return Outcome.ERROR
        if outcome is not Outcome.OK:
            session.failed = True
            return outcome
        yield clock.timeout(half_trip_s)
        visit.service_time_s += half_trip_s
        return outcome

    def _work_s(self, statement: Statement, request: Request) -> float:
        drawn_s = statement.time(request)
        return drawn_s if statement.plan_s is None else drawn_s + statement.plan_s(self._cluster.table.rows)
