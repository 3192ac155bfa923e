"""A database as one process sees it: a pool of connections to each of its servers."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass

from simpy.events import Event

from lab.simulation.clock import Clock
from lab.simulation.database.cluster import Cluster
from lab.simulation.database.execution import perform
from lab.simulation.database.pool import Pool
from lab.simulation.database.routing import ReadPolicy
from lab.simulation.database.session import Session, Statement
from lab.simulation.log import Log
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.variate import Variate

COMMIT, ROLLBACK, TRANSACTION = "commit", "rollback", "transaction"


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


class DatabaseClient:
    """Takes a connection, opens it if need be, sends the statement and gives the connection back.

    ::

        arrives --> which server? --> connection of its pool --timeout--> error (500)
                        | opened now, or before
                    half a round trip --> server --> half a round trip --> gives the connection back
                                            |--crashed, refused--> error at once; the pool is taken to be broken
                                            `--no lock of the row--> error, half a round trip later

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
        statement = self._statements[request.operation]
        session = yield from self.begin(request, on_primary=statement.inserts or statement.locks)
        if session is None:
            return Outcome.ERROR
        outcome = yield from self.execute(session, request, commits=True)
        return self.end(session, outcome)

    def of(self, request: Request) -> DatabaseClient:
        """Return who does the statements of this request: there is one for all keys."""
        return self

    def begin(self, request: Request, *, on_primary: bool) -> Generator[Event, object, Session | None]:
        """Take a connection and see that it is open; return None if there was none in time, or it was refused.

        Args:
            on_primary: whether what is to be done must be done there; else the reads policy decides.
        """
        clock = self._clock
        server = self._cluster.primary if on_primary else self._pools.reads.choose(request)
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
        """Give the connection back and close its row; a transaction that is not over is rolled back."""
        if not session.ended:
            session.ended = True
            if not session.under_way:
                self._cluster.let_go(session, committed=False)
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
        session.known_s = clock.now - half_trip_s
        yield clock.timeout(half_trip_s)
        if not session.ended:
            visit.service_time_s += half_trip_s
        session.under_way = True
        work = perform(self._cluster, session, request, statement, commits=commits)
        outcome = yield from session.pool.server.reach(request, work)
        session.under_way = False
        if session.ended:  # the process has died meanwhile: nobody reads the answer
            return Outcome.ERROR
        if outcome is not Outcome.OK and not session.aborted:
            session.failed = True
            return outcome
        yield clock.timeout(half_trip_s)
        visit.service_time_s += half_trip_s
        return outcome
