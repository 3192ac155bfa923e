"""A database as one replica sees it: through its own pool of connections."""

from __future__ import annotations

from collections.abc import Mapping

from lab.simulation.clock import Clock
from lab.simulation.line import Line
from lab.simulation.log import Log
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.variate import Variate


class PooledDatabase:
    """Waits for a connection, first come first served, and holds it for the statement.

    ::

        arrives --> connection free (size + overflow)? --no--> waits (FIFO) --timeout--> error (500)
                        | yes                                     |
                    statement (round trip + its own time) <-------+
    """

    def __init__(
        self,
        *,
        clock: Clock,
        log: Log,
        seen_from: tuple[str, int],
        pool: tuple[int, float],
        round_trip: Variate,
        queries: Mapping[str, Variate],
    ) -> None:
        self._clock = clock
        self._log = log
        self._name, self._replica = seen_from
        connections, self._patience_s = pool
        self._connections = Line(clock, connections)
        self._round_trip = round_trip
        self._queries = queries

    def handle(self, request: Request) -> Handling:
        """Do one statement."""
        clock = self._clock
        visit = self._log.open_visit(request, self._name, self._replica, clock.now)
        if not (yield from self._connections.enter(self._patience_s)):
            visit.turn_away(clock.now, Outcome.TIMEOUT)
            return Outcome.ERROR
        visit.admit(clock.now)
        visit.service_time_s = self._round_trip(request) + self._queries[request.operation](request)
        yield clock.timeout(visit.service_time_s)
        self._connections.leave()
        return visit.close(clock.now, Outcome.OK)
