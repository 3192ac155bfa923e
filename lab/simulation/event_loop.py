"""The event loop of a replica: one thread, so whoever computes delays everybody else."""

from __future__ import annotations

from lab.simulation.clock import Clock
from lab.simulation.line import Line
from lab.simulation.log import Log
from lab.simulation.request import Handling, Outcome, Request


class EventLoop:
    """First come, first served; shown as a component of its own, such as ``api.event_loop``."""

    def __init__(self, *, clock: Clock, log: Log, name: str, index: int) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._index = index
        self._thread = Line(clock, 1)

    def compute(self, request: Request, cpu_time_s: float, operation: str) -> Handling:
        """Occupy the loop for ``cpu_time_s``, after whatever is already waiting for it."""
        clock = self._clock
        visit = self._log.open_visit(request, self._name, self._index, clock.now)
        visit.operation = operation
        yield from self._thread.enter()
        visit.admit(clock.now)
        visit.service_time_s = cpu_time_s
        yield clock.timeout(cpu_time_s)
        self._thread.leave()
        return visit.close(clock.now, Outcome.OK)
