"""The event loop of a replica: one thread, so whoever computes delays everybody else.

A coroutine runs until it awaits. So a request takes the loop when it has something to do and keeps it through its
computing until it waits for something else; then it must get the loop again before it can go on::

    arrives --> resume --> runs, computes, runs on --> suspend (awaits, or is done)
                  ^                                       |
                  `------------- what it awaited is there -'
"""

from __future__ import annotations

from typing import Protocol

from simpy import Interrupt

from lab.simulation.clock import Clock, Handover
from lab.simulation.line import Line
from lab.simulation.log import Log
from lab.simulation.request import Handling, Outcome, Request


class Loop(Protocol):
    """What a replica's steps need of its event loop."""

    @property
    def idle(self) -> bool:
        """Whether nothing in the process computes or could."""
        ...

    def resume(self, request: Request) -> Handling:
        """Get the loop, after whatever is already waiting for it."""
        ...

    def suspend(self, request: Request) -> None:
        """Let the others run, if the request has the loop."""
        ...

    def compute(self, request: Request, cpu_time_s: float, operation: str) -> Handling:
        """Keep the loop busy for this CPU time."""
        ...


class Machine(Protocol):
    """What computes in a process that can be stopped, slowed down, and asked for its CPU time."""

    def freeze(self) -> None:
        """Stop, in the middle of computing too."""
        ...

    def thaw(self) -> None:
        """Go on."""
        ...

    def slow_down(self, factor: float) -> None:
        """Let each stretch of computing that begins from now on take ``factor`` times as long."""
        ...

    @property
    def cpu_time_s(self) -> float:
        """CPU time used until now."""
        ...


class EventLoop:
    """First come, first served; shown as a component of its own, such as ``api.event_loop``.

    Its rows: ``turn`` for a wait of a request that wants to go on, and one for each stretch of computing.
    """

    def __init__(self, *, clock: Clock, log: Log, name: str, index: int) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._index = index
        self._thread = Line(clock, 1)
        self._frozen: Handover | None = None
        self.running: Request | None = None

    @property
    def idle(self) -> bool:
        """Whether nobody has the loop."""
        return not self._thread.full

    def resume(self, request: Request) -> Handling:
        """Get the loop, after whatever is already waiting for it."""
        if self.running is not request:
            if self._thread.full:
                clock = self._clock
                visit = self._log.open_visit(request, self._name, self._index, clock.now)
                visit.operation = "turn"
                try:
                    yield from self._thread.enter()
                except Interrupt:
                    visit.turn_away(clock.now, Outcome.ERROR)
                    raise
                visit.admit(clock.now)
                visit.close(clock.now, Outcome.OK)
            else:
                yield from self._thread.enter()
            self.running = request
        return Outcome.OK

    def suspend(self, request: Request) -> None:
        """Let the others run, if the request has the loop."""
        if self.running is request:
            self.running = None
            self._thread.leave()

    def compute(self, request: Request, cpu_time_s: float, operation: str) -> Handling:
        """Keep the loop busy for ``cpu_time_s``; the request keeps the loop afterwards."""
        yield from self.resume(request)
        clock = self._clock
        visit = self._log.open_visit(request, self._name, self._index, clock.now)
        visit.operation = operation
        visit.admit(clock.now)
        visit.service_time_s = cpu_time_s
        try:
            yield clock.timeout(cpu_time_s)
        except Interrupt:
            visit.service_time_s = clock.now - visit.arrival_s
            visit.close(clock.now, Outcome.ERROR)
            raise
        return visit.close(clock.now, Outcome.OK)

    def freeze(self) -> None:
        """Let nobody run on once the one that runs now has let go."""
        self._frozen = self._thread.seize()

    def thaw(self) -> None:
        """Let whoever has waited longest run on."""
        if self._frozen is not None:
            self._thread.give_back(self._frozen)
            self._frozen = None
