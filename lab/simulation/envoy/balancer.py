"""Envoy as requests see it: a replica is chosen, a connection found, and the answer passed on."""

from __future__ import annotations

from lab.simulation.clock import Clock, Handover
from lab.simulation.envoy.choice import Choice
from lab.simulation.envoy.host import Host
from lab.simulation.envoy.outliers import Outliers
from lab.simulation.envoy.pools import Pools, Turn
from lab.simulation.exchange import End, Exchange, Exchanged
from lab.simulation.log import Log, Visit
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.variate import Variate


class EnvoyBalancer:
    """Sends each request to a replica that Envoy chooses, on a connection of its own.

    ::

        arrives --> a replica? --none healthy, and no panic--> rejected (503)
                      | yes
                    a connection? --circuit breaker open, or refused--> rejected (503)
                      |   `--timeout while it waits--> error (504)    `--client gone--> timeout
                      | yes
                    under way --answer--> passed on
                      |  |  `--reset--> rejected (503)
                      |  `--timeout--> error (504); the replica works on for nobody
                      `--client gone--> timeout; likewise

    Every end of what was under way is reported to the outlier detection, but that of a client who left.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        log: Log,
        name: str,
        upstream: tuple[Choice, Pools, Outliers | None],
        exchange: Exchange,
        forward_time: Variate | None,
    ) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        choice, self._pools, self._outliers = upstream
        self._choose = choice.choose
        self._exchange = exchange
        self._forward_time = forward_time

    def handle(self, request: Request) -> Handling:
        """Have a replica answer the request."""
        clock, pools = self._clock, self._pools
        visit = self._log.open_visit(request, self._name, -1, clock.now)
        host = self._choose(request)
        if host is None:
            return visit.turn_away(clock.now, Outcome.REJECTED)
        turn: object = pools.take(host)
        if isinstance(turn, Handover):
            member = host.member
            member.connect()  # a process that drains lives on for who waits
            turn = yield from self._exchange.wait(turn, request, leave=pools.leave)
            ended = (yield from self._ask(host, request, visit)) if turn is Turn.READY else turn
            member.disconnect()
        else:
            ended = (yield from self._ask(host, request, visit)) if turn is Turn.READY else turn
        self._report(host, ended, visit)
        return self._close(visit, ended)

    def _ask(self, host: Host, request: Request, visit: Visit) -> Exchanged:
        """Send the request on the connection that it has."""
        clock, member = self._clock, host.member
        visit.admit(clock.now)
        visit.replica = member.index
        if self._forward_time is not None:
            visit.service_time_s = self._forward_time(request)
            yield clock.timeout(visit.service_time_s)
        ended = yield from self._exchange.ask(member, request, waited_s=clock.now - visit.arrival_s)
        self._pools.release(host, closes=isinstance(ended, End))
        return ended

    def _report(self, host: Host, ended: object, visit: Visit) -> None:
        """Tell the outlier detection of an end that says something of the replica."""
        if self._outliers is None or ended is End.LEFT or ended is Turn.OVERFLOW:
            return
        if ended is End.TIMED_OUT and visit.replica < 0:
            return  # it never reached the replica
        self._outliers.report(host, failed=ended is not Outcome.OK)

    def _close(self, visit: Visit, ended: object) -> Outcome:
        now_s = self._clock.now
        close = visit.close if visit.replica >= 0 else visit.turn_away
        match ended:
            case Outcome():
                return close(now_s, ended)
            case End.LEFT:
                return close(now_s, Outcome.TIMEOUT)
            case End.TIMED_OUT:
                close(now_s, Outcome.TIMEOUT)
                return Outcome.ERROR  # 504
            case _:
                return close(now_s, Outcome.REJECTED)  # 503: overflow, refused, reset
