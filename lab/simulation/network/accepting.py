"""The entry's limit of open connections: who comes beyond it waits until one closes."""

from __future__ import annotations

from lab.simulation.clock import Clock
from lab.simulation.gone import Gone
from lab.simulation.line import Line
from lab.simulation.log import Log
from lab.simulation.request import Handling, Outcome, Request

ACCEPT = ".accept"
"""Follows the name of the entry in the rows of connections that wait to be accepted."""


class Accepting:
    """Accepts connections up to a limit, first come first served, as a proxy does whose maxconn is reached.

    ::

        TCP's handshake, by the kernel --> fewer open than the limit? --yes--> accepted: open until it is released
                                               | no                      ^
                                               v                         |
                                            waits --one closes, its turn-+--client gone--> closed at once

    Rows of their own, ``ENTRY.accept``: all waiting. The gauge ``connections_open`` of the entry counts.
    """

    def __init__(self, *, place: tuple[Clock, Log], entry: str, limit: int, gone: Gone) -> None:
        self._clock, self._log = place
        self._entry = entry
        self._line = Line(self._clock, limit)
        self._gone = gone
        self._open = 0

    def handle(self, request: Request) -> Handling:
        """Wait until the connection is accepted; a timeout if its client has gone by then."""
        visit = self._log.open_visit(request.child("accept", 0), self._entry + ACCEPT, 0, self._clock.now)
        yield from self._line.enter()
        if self._gone.since(request) is not None:
            self._line.leave()
            return visit.turn_away(self._clock.now, Outcome.TIMEOUT)
        visit.admit(self._clock.now)
        self._count(1)
        return visit.close(self._clock.now, Outcome.OK)

    def release(self) -> None:
        """Note that an accepted connection has closed."""
        self._count(-1)
        self._line.leave()

    def _count(self, change: int) -> None:
        self._open += change
        self._log.gauge(self._entry, -1, "connections_open", self._clock.now, float(self._open))
