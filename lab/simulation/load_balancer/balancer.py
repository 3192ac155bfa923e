"""A load balancer before servers that come, go and fail."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from simpy.events import AnyOf, Event

from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.load_balancer.backend import Backend
from lab.simulation.load_balancer.forwarding import Forwarding
from lab.simulation.load_balancer.health import Shutdowns
from lab.simulation.load_balancer.server import AGAIN, LEFT, Server
from lab.simulation.log import Log, Visit
from lab.simulation.request import Handling, Outcome, Request

_LONGEST_PAUSE_S = 1.0
Search = Generator[Event, object, Server | Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connecting:
    """What is done when a server refuses the connection, and what ends the wait for its answer; times in seconds.

    Attributes:
        retries: further attempts to connect.
        redispatch: whether another server may be tried.
        connect_timeout_s: bounds the pause before the same server is tried again, which is 1 s otherwise.
        by_key: whether the algorithm wants one certain server, so that another is no better at once.
        server_timeout_s: longest wait for an answer; None: for ever.
        shutdowns: tells of each server that is taken down, if that ends what is under way there.
    """

    retries: int
    redispatch: bool
    connect_timeout_s: float | None
    by_key: bool
    server_timeout_s: float | None
    shutdowns: Shutdowns | None = None

    @property
    def pause_s(self) -> float:
        """HAProxy's turn-around."""
        return min(self.connect_timeout_s or _LONGEST_PAUSE_S, _LONGEST_PAUSE_S)

    def redispatches(self, server: Server, *, failures: int, usable: int) -> bool:
        """Whether the next attempt may go to another server than the one that has just refused."""
        if not self.redispatch:
            return False
        running = server.up and server.warm_since_s is None
        return not running or failures == self.retries or (usable > 1 and not self.by_key)


class LoadBalancer:
    """Sends each request to a server, now or when there is room, and passes its answer on.

    ::

        arrives --> a server? --none that may be chosen, or its own queue is full--> rejected (503)
          ^            |  `--none has room--> queue --queue timeout----------------> rejected (503)
          |            v                        |  `--client gone, if it heeds that--> timeout
          |            |                        | its turn
          |         connect <-------------------+<-----------pause (1 s)------------+
          |            |  `--refused--> retries left? --no--> rejected (503)        |
          |            |                     | yes                                  |
          +------------+---redispatch--------+---------------same server------------+
                       | accepted
                    forwarded --answer----------> passed on
                       |   `--connection reset--> error (502)
                       `--server timeout--------> error (504); the server works on for nobody

    A refused request keeps its slot while it pauses for the same server. Its pauses are waiting, as the queue is.

    Source: HAProxy 2.8, src/backend.c (back_handle_st_cer), include/haproxy/stream.h (stream_choose_redispatch).
    """

    def __init__(
        self,
        *,
        clock: Clock,
        log: Log,
        name: str,
        backend: Backend,
        connecting: Connecting,
        forwarding: Forwarding | None,
    ) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._backend = backend
        self._connecting = connecting
        self._forwarding = forwarding
        self._shutdowns = connecting.shutdowns

    def handle(self, request: Request) -> Handling:
        """Forward the request to a server that accepts it, now or when one has room, and pass its answer on."""
        visit = self._log.open_visit(request, self._name, -1, self._clock.now)
        server = yield from self._connect(request)
        if isinstance(server, Outcome):
            return visit.turn_away(self._clock.now, server)
        outcome = yield from self._exchange(server, request, visit)
        self._backend.release(server)
        visit.close(self._clock.now, outcome)
        return Outcome.ERROR if outcome is Outcome.TIMEOUT else outcome

    def _exchange(self, server: Server, request: Request, visit: Visit) -> Handling:
        """Send the request over the connection, and wait for the answer."""
        clock, member = self._clock, server.member
        visit.admit(clock.now)
        visit.replica = member.index
        member.connect()
        if self._forwarding is not None:
            yield from self._forwarding(request, visit)
        if self._connecting.server_timeout_s is None and self._shutdowns is None:
            outcome = yield from member.handle(request)
        else:
            outcome = yield from self._bounded(server, member.handle(request))
        member.disconnect()
        return outcome

    def _bounded(self, server: Server, handling: Handling) -> Handling:
        """Wait for the answer as long as that is allowed, or until the server is taken down if that ends it."""
        clock, limit_s = self._clock, self._connecting.server_timeout_s
        answer = clock.process(handling)
        ends: list[Event] = [answer]
        if limit_s is not None:
            ends.append(Timer(clock, limit_s, Order.EXPIRY))
        if self._shutdowns is not None:
            ends.append(self._shutdowns.next(server))
        yield AnyOf(clock, ends)
        if answer.processed:
            return Outcome(str(answer.value))
        return Outcome.TIMEOUT if limit_s is not None and ends[1].processed else Outcome.ERROR

    def _connect(self, request: Request) -> Search:
        """Return a server that accepts the connection, with one of its slots taken, or how the search ended."""
        backend, rule, failures = self._backend, self._connecting, 0
        server = yield from self._assign(request, None)
        while isinstance(server, Server) and not server.member.listens:
            failures += 1
            if failures > rule.retries:
                backend.release(server)
                return Outcome.REJECTED
            if rule.redispatches(server, failures=failures, usable=backend.usable):
                backend.release(server)
                if backend.usable <= 1:
                    yield self._clock.timeout(rule.pause_s)
                server = yield from self._assign(request, server)
            else:
                yield self._clock.timeout(rule.pause_s)
        return server

    def _assign(self, request: Request, avoid: Server | None) -> Search:
        """Return a server with one of its slots taken, now or when there is room, or how the wait for it ended."""
        backend = self._backend
        while True:
            server = backend.choose(request, avoid)
            if server is not None and not server.full:
                backend.take(server)
                return server
            place = backend.wait(request, server)
            given = None if place is None else (yield place)
            if isinstance(given, Server):
                return given
            if given is not AGAIN:
                return Outcome.TIMEOUT if given is LEFT else Outcome.REJECTED
