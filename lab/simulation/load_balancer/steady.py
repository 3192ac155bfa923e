"""A load balancer before servers that never come, go or fail."""

from __future__ import annotations

from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.load_balancer.backend import Backend
from lab.simulation.load_balancer.forwarding import Forwarding
from lab.simulation.load_balancer.server import LEFT, Server
from lab.simulation.log import Log
from lab.simulation.request import Handling, Outcome, Request


class SteadyLoadBalancer:
    """Sends each request to a server, now or when there is room, and passes its answer on.

    ::

        arrives --> a server with room? --no--> queue --queue timeout--> rejected (503)
                        |                         |  `--client gone-----> timeout, if it heeds that
                        | yes                     | its turn
                     forwarded <------------------+
                        |--answer--> passed on
                        `--server timeout--> error (504); the server works on for nobody

    The quick way: :class:`~lab.simulation.load_balancer.balancer.LoadBalancer` does the same and more.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        log: Log,
        name: str,
        backend: Backend,
        server_timeout_s: float | None,
        forwarding: Forwarding | None,
    ) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._backend = backend
        self._server_timeout_s = server_timeout_s
        self._forwarding = forwarding

    def handle(self, request: Request) -> Handling:
        """Forward the request to a server, now or when one has room, and pass its answer on."""
        clock, backend = self._clock, self._backend
        visit = self._log.open_visit(request, self._name, -1, clock.now)
        server = backend.choose(request)
        if server is None or server.served >= server.limit or server.queued:
            place = backend.wait(request, server)
            given = None if place is None else (yield place)
            if not isinstance(given, Server):
                return visit.turn_away(clock.now, Outcome.TIMEOUT if given is LEFT else Outcome.REJECTED)
            server = given
        else:
            backend.take(server)
        visit.admit(clock.now)
        visit.replica = server.member.index
        if self._forwarding is not None:
            yield from self._forwarding(request, visit)
        if self._server_timeout_s is None:
            outcome = yield from server.member.handle(request)
        else:
            outcome = yield from self._bounded(server, request, self._server_timeout_s)
        backend.release(server)
        visit.close(clock.now, outcome)
        return Outcome.ERROR if outcome is Outcome.TIMEOUT else outcome

    def _bounded(self, server: Server, request: Request, limit_s: float) -> Handling:
        answer = self._clock.process(server.member.handle(request))
        limit = Timer(self._clock, limit_s, Order.EXPIRY)
        yield answer | limit
        return Outcome(str(answer.value)) if answer.processed else Outcome.TIMEOUT
