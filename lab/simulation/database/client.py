"""A database as one process sees it: a pool of connections to each of its servers."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass

from simpy.events import Event

from lab.simulation.clock import Clock
from lab.simulation.database.pool import Connection, Pool
from lab.simulation.log import Log, Visit
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.variate import Variate


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """What is drawn for a statement.

    Attributes:
        round_trip: driver and network; half of it before the statement is at the server, half after.
        connect: to open a connection, by query; None where that takes no time.
        queries: the statement's own time, by query.
    """

    round_trip: Variate
    connect: Mapping[str, Variate] | None
    queries: Mapping[str, Variate]


class DatabaseClient:
    """Takes a connection, opens it if need be, sends the statement and gives the connection back.

    ::

        arrives --> connection of the pool --timeout--> error (500)
                        | opened now, or before
                    half a round trip --> server --> half a round trip --> gives the connection back
                                            `--crashed, refused--> error at once; the pool is taken to be broken
    """

    def __init__(self, *, clock: Clock, log: Log, seen_from: tuple[str, int], pool: Pool, times: Times) -> None:
        self._clock = clock
        self._log = log
        self._name, self._replica = seen_from
        self._pool = pool
        self._times = times

    def handle(self, request: Request) -> Handling:
        """Do one statement."""
        clock, pool = self._clock, self._pool
        visit = self._log.open_visit(request, self._name, self._replica, clock.now)
        connection = yield from pool.take()
        if connection is None:
            visit.turn_away(clock.now, Outcome.TIMEOUT)
            return Outcome.ERROR
        visit.admit(clock.now)
        if not pool.is_open(connection) and not (yield from self._open(pool, connection, request, visit)):
            pool.give_back(connection, broken=False)
            return visit.close(clock.now, Outcome.ERROR)
        outcome = yield from self._execute(pool, connection, request, visit)
        pool.give_back(connection, broken=outcome is not Outcome.OK)
        return visit.close(clock.now, outcome)

    def dispose(self) -> None:
        """Close all connections: the process has ended."""
        self._pool.dispose()

    def _open(
        self, pool: Pool, connection: Connection, request: Request, visit: Visit
    ) -> Generator[Event, object, bool]:
        since_s, connect = self._clock.now, self._times.connect
        opened = yield from pool.open(connection, 0.0 if connect is None else connect[request.operation](request))
        visit.service_time_s += self._clock.now - since_s
        return opened

    def _execute(self, pool: Pool, connection: Connection, request: Request, visit: Visit) -> Handling:
        clock, times = self._clock, self._times
        half_trip_s = times.round_trip(request) / 2
        yield clock.timeout(half_trip_s)
        visit.service_time_s += half_trip_s
        outcome = yield from pool.server.execute(
            request, times.queries[request.operation](request), connection.generation
        )
        if outcome is Outcome.OK:
            yield clock.timeout(half_trip_s)
            visit.service_time_s += half_trip_s
        return outcome
