"""How a balancer finds out that a server is gone, or is there again."""

from __future__ import annotations

from collections.abc import Callable

from simpy.events import Event

from lab.scenario.load_balancer import HealthCheck
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.load_balancer.backend import Backend
from lab.simulation.load_balancer.server import Server
from lab.simulation.log import Log


class Shutdowns:
    """Tells the requests under way at a server when it is taken down: ``on-marked-down shutdown-sessions``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next: dict[Server, Event] = {}

    def next(self, server: Server) -> Event:
        """Return what happens when the server is taken down the next time."""
        if server not in self._next:
            self._next[server] = self._clock.event()
        return self._next[server]

    def tell(self, server: Server) -> None:
        """End what is under way there."""
        event = self._next.pop(server, None)
        if event is not None:
            event.succeed()


class HealthChecks:
    """Checks each server from time to time, and takes it down or brings it up.

    ::

                   rise in a row succeed
        down <---------------------------------> up (all are, at the start)
                   fall in a row fail

    A check succeeds if the process answers before the timeout. One that does not listen refuses at once, one that hangs
    lets the time run out. Between checks lies the interval; ``fast_interval`` while the last checks spoke against the
    state, ``down_interval`` while it is down and none has succeeded.

    The first checks of n servers come at 0, 1/n, 2/n ... of the interval, all shifted by a part of it where the
    balancer has been there for long; of one that is added, after one interval.

    Checks cost no time at the replica, and tell nothing while every process answers; so they are made only before
    fleets whose processes may end or hang.

    Source: HAProxy 2.8, src/check.c (process_chk_conn, set_server_check_status, srv_getinter, start_check_task).
    """

    def __init__(self, *, clock: Clock, log: Log, name: str, backend: Backend, spec: HealthCheck) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._backend = backend
        self._spec = spec
        self._most = spec.rise + spec.fall - 1
        self._health: dict[Server, int] = {}
        self.going_down: list[Callable[[Server], None]] = []
        self.coming_up: list[Callable[[Server], None]] = []

    def start(self, shift: float = 0.0) -> None:
        """Begin to check the servers that are there.

        Args:
            shift: by which part of an interval the first checks come later; whose turn passes the end comes at once.
        """
        servers = self._backend.servers
        for place, server in enumerate(servers):
            self._begin(server, self._spec.interval * ((place / len(servers) + shift) % 1.0))

    def add(self, server: Server) -> None:
        """Begin to check a server that has just been added."""
        self._begin(server, self._spec.interval)

    def _begin(self, server: Server, after_s: float) -> None:
        self._health[server] = self._most
        self._plan(server, after_s)

    def _plan(self, server: Server, after_s: float) -> None:
        Timer(self._clock, after_s, Order.EXPIRY, lambda _: self._check(server))

    def _check(self, server: Server) -> None:
        if server.draining:
            del self._health[server]
        elif server.member.listens and not server.member.answers:
            timeout_s = self._spec.timeout or self._spec.interval
            Timer(self._clock, timeout_s, Order.EXPIRY, lambda _: self._conclude(server))
        else:
            self._conclude(server)

    def _conclude(self, server: Server) -> None:
        health = self._health[server]
        if server.member.answers:
            health = self._most if health + 1 >= self._spec.rise else health + 1
        else:
            health = health - 1 if health > self._spec.rise else 0
        self._health[server] = health
        if health == 0 and server.up:
            self._take_down(server)
        elif health == self._most and not server.up:
            self._bring_up(server)
        self._plan(server, self._interval_s(server, health))

    def _interval_s(self, server: Server, health: int) -> float:
        spec = self._spec
        if health == self._most:
            return spec.interval
        if health == 0 and not server.up:
            return spec.down_interval or spec.interval
        return spec.fast_interval or spec.interval

    def _take_down(self, server: Server) -> None:
        server.up = False
        self._note("server_down", server)
        self._backend.update(server)
        for told in self.going_down:
            told(server)

    def _bring_up(self, server: Server) -> None:
        server.up = True
        self._note("server_up", server)
        for told in self.coming_up:
            told(server)
        self._backend.update(server)

    def _note(self, kind: str, server: Server) -> None:
        self._log.event(self._name, kind, self._clock.now, server=server.slot, replica=server.member.index)
