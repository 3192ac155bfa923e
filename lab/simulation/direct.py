"""A service with one process as its callers reach it: without a balancer, at one address."""

from __future__ import annotations

from lab.simulation.clock import Clock
from lab.simulation.fleet import Fleet, Life, Member
from lab.simulation.log import Log
from lab.simulation.request import Handling, Outcome, Request


class Direct:
    """Passes requests to the process that has the address; while there is none, connections are refused at once.

    A refused connection leaves a row of the service, of no replica, so that no request vanishes.
    """

    def __init__(self, *, clock: Clock, log: Log, name: str, fleet: Fleet) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._member = fleet.members[0] if fleet.members else None
        fleet.watch(self._follow)

    def handle(self, request: Request) -> Handling:
        """Have the process handle the request."""
        if self._member is not None and self._member.listens:
            return (yield from self._member.handle(request))
        visit = self._log.open_visit(request, self._name, -1, self._clock.now)
        return visit.turn_away(self._clock.now, Outcome.ERROR)

    def _follow(self, member: Member) -> None:
        if member.life is Life.READY:
            self._member = member
