"""HAProxy before the replicas of a service: choice of a server, connection limit, one queue for all.

Source of the rules: HAProxy 2.8, src/lb_fwlc.c, lb_fwrr.c, backend.c, queue.c.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Literal

from simpy.events import Event

from lab.randomness import Stream
from lab.simulation.clock import Clock, Handover, Order, Timer
from lab.simulation.fleet import Member
from lab.simulation.log import Log
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.variate import Variate

Algorithm = Literal["roundrobin", "leastconn", "random"]


class Server:
    """What the balancer knows of one replica: the requests that it has sent there and not seen end."""

    __slots__ = ("member", "served", "turn")

    def __init__(self, member: Member, turn: int) -> None:
        self.member = member
        self.served = 0
        self.turn = turn  # among equals the lowest turn is next


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much goes to one server at once, and how long anybody waits, in seconds."""

    per_server: int | None
    queue_timeout_s: float
    server_timeout_s: float | None


class LoadBalancer:
    """Chooses a server for each request; when none has room the request joins one FIFO queue.

    ::

        arrives --> server with room? --no--> queue --queue timeout--> rejected (503)
                        | yes                   | a server has room again
                     forwarded <----------------+
                        |--answer--> passed on
                        `--server timeout--> error (504); the server works on for nobody

    - roundrobin: in turn, full servers are skipped.
    - leastconn: fewest requests under way; among equals the one that has waited longest for its turn.
    - random: two draws with replacement, the less busy of both; if that one is full the request queues,
      even when the other servers have room.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        log: Log,
        name: str,
        algorithm: Algorithm,
        limits: Limits,
        draws: tuple[Stream, Variate | None],
    ) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._algorithm = algorithm
        self._limits = limits
        self._room = math.inf if limits.per_server is None else limits.per_server
        self._choices, self._forward_time = draws
        self._queue: deque[Handover] = deque()
        self._turn = 0
        self.servers: list[Server] = []

    def add(self, member: Member) -> None:
        """Take a replica into service."""
        self.servers.append(Server(member, len(self.servers)))
        self._turn = len(self.servers)

    def handle(self, request: Request) -> Handling:
        """Forward the request to a server, now or when one has room, and pass its answer on."""
        clock = self._clock
        visit = self._log.open_visit(request, self._name, -1, clock.now)
        server = self._choose(request)
        if server is None:
            place = Handover(clock)
            self._queue.append(place)
            Timer(clock, self._limits.queue_timeout_s, Order.EXPIRY, lambda _: self._expire(place))
            given = yield place
            if not isinstance(given, Server):
                return visit.turn_away(clock.now, Outcome.REJECTED)
            server = given
        else:
            self._take(server)
        visit.admit(clock.now)
        visit.replica = server.member.index
        if self._forward_time is not None:
            visit.service_time_s = self._forward_time(request)
            yield clock.timeout(visit.service_time_s)
        if self._limits.server_timeout_s is None:
            outcome = yield from server.member.handle(request)
        else:
            outcome = yield from self._bounded(server, request, self._limits.server_timeout_s)
        self._release(server)
        visit.close(clock.now, outcome)
        return Outcome.ERROR if outcome is Outcome.TIMEOUT else outcome

    def _bounded(self, server: Server, request: Request, limit_s: float) -> Handling:
        answer = self._clock.process(server.member.handle(request))
        limit = Timer(self._clock, limit_s, Order.EXPIRY)
        yield answer | limit
        return Outcome(str(answer.value)) if answer.processed else Outcome.TIMEOUT

    def _choose(self, request: Request) -> Server | None:
        room = self._room
        match self._algorithm:
            case "roundrobin":
                free = [server for server in self.servers if server.served < room]
                return min(free, key=lambda server: server.turn, default=None)
            case "leastconn":
                free = [server for server in self.servers if server.served < room]
                return min(free, key=lambda server: (server.served, server.turn), default=None)
            case "random":
                first, second = self._draw(request, 0), self._draw(request, 1)
                chosen = second if second.served < first.served else first
                return chosen if chosen.served < room else None

    def _draw(self, request: Request, ordinal: int) -> Server:
        visit = request.visit * 2 + ordinal
        uniform = self._choices.uniform(request.number, request.attempt, visit)
        return self.servers[int(uniform * len(self.servers))]

    def _take(self, server: Server) -> None:
        server.served += 1
        self._requeue(server)

    def _release(self, server: Server) -> None:
        queue = self._queue
        while queue:
            place = queue.popleft()
            if not place.triggered:
                place.give(server)
                break
        else:
            server.served -= 1
        if self._algorithm == "leastconn":
            self._requeue(server)

    def _requeue(self, server: Server) -> None:
        """Put the server behind its equals, as each change of its count does in HAProxy's tree."""
        server.turn = self._turn
        self._turn += 1

    def _expire(self, place: Event) -> None:
        if isinstance(place, Handover) and not place.triggered:
            place.give(None)
