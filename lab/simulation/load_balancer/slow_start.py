"""A server that is added or comes up again gets its share step by step."""

from __future__ import annotations

import math

from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.load_balancer.backend import Backend
from lab.simulation.load_balancer.server import WEIGHT_SCALE, Server

_STEP_S = 1.0


class SlowStart:
    """HAProxy's ``slowstart``: at once the least weight and one connection, then more every second, then all.

    After t of T whole seconds the weight is (16 t / T rounded down, plus 1) sixteenths of the full one, the limit
    100 t / T rounded down percent of the full one, but at least 1. Never at the start of the balancer.

    Source: HAProxy 2.8, src/server.c (server_recalc_eweight), src/check.c (server_warmup), src/queue.c
    (srv_dynamic_maxconn). Its comment speaks of twentieths of the time, but it counts that in seconds and the steps in
    milliseconds: 2.8.25 steps every second.
    """

    def __init__(self, *, clock: Clock, backend: Backend, duration_s: float) -> None:
        self._clock = clock
        self._backend = backend
        self._duration_s = math.ceil(duration_s)

    def begin(self, server: Server) -> None:
        """Bring a server to its least; the backend is told by whoever begins."""
        server.warm_since_s = self._clock.now
        self._set(server, 0)
        self._plan(server, self._clock.now, 0)

    def _plan(self, server: Server, since_s: float, elapsed: int) -> None:
        Timer(self._clock, _STEP_S, Order.EXPIRY, lambda _: self._step(server, since_s, elapsed + 1))

    def _step(self, server: Server, since_s: float, elapsed: int) -> None:
        if server.warm_since_s != since_s or not server.up or server.draining:
            return  # it went down meanwhile; if it is up again, that is another slow start
        self._set(server, elapsed)
        if elapsed < self._duration_s:
            self._plan(server, since_s, elapsed)
        self._backend.update(server)

    def _set(self, server: Server, elapsed: int) -> None:
        whole = self._duration_s
        if elapsed >= whole:
            server.warm_since_s = None
            server.weight, server.limit = server.full_weight, server.full_limit
            return
        server.weight = server.full_weight // WEIGHT_SCALE * (WEIGHT_SCALE * elapsed // whole + 1)
        if server.full_limit < math.inf:
            server.limit = max(1, int(server.full_limit) * (100 * elapsed // whole) // 100)
