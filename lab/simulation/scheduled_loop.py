"""An event loop whose computing is scheduled: beside threads, on a shared host, or in a process that may be frozen."""

from __future__ import annotations

from simpy import Interrupt

from lab.simulation.clock import Clock
from lab.simulation.event_loop import EventLoop
from lab.simulation.interpreter import Interpreter
from lab.simulation.log import Log
from lab.simulation.request import Handling, Outcome, Request


class ScheduledLoop:
    """Takes turns as the plain event loop does, and leaves the computing to the interpreter.

    Where nothing else competes, its times are those of the plain one.
    """

    def __init__(self, *, clock: Clock, log: Log, name: str, index: int, interpreter: Interpreter) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._index = index
        self._turns = EventLoop(clock=clock, log=log, name=name, index=index)
        self._interpreter = interpreter

    @property
    def idle(self) -> bool:
        """Whether nobody has the loop, and no thread computes."""
        return self._turns.idle and self._interpreter.idle

    def freeze(self) -> None:
        """Stop the process, in the middle of computing too, and let nobody begin."""
        self._interpreter.freeze()
        self._turns.freeze()

    def thaw(self) -> None:
        """Go on where it was stopped."""
        self._turns.thaw()
        self._interpreter.thaw()

    def slow_down(self, factor: float) -> None:
        """Let each stretch of computing that begins from now on take ``factor`` times as long."""
        self._interpreter.factor = factor

    @property
    def cpu_time_s(self) -> float:
        """CPU time that the process has used until now, that of its threads included."""
        return self._interpreter.cpu_time_s

    def resume(self, request: Request) -> Handling:
        """Get the loop, after whatever is already waiting for it, and then the interpreter."""
        yield from self._turns.resume(request)
        if self._interpreter.must_wait(self):
            yield from self.compute(request, 0.0, "resume")
        return Outcome.OK

    def suspend(self, request: Request) -> None:
        """Let the others run, if the request has the loop, and the threads compute."""
        if self._turns.running is request:
            self._interpreter.release(self)
        self._turns.suspend(request)

    def compute(self, request: Request, cpu_time_s: float, operation: str) -> Handling:
        """Keep the loop busy until the interpreter has computed for ``cpu_time_s``."""
        yield from self._turns.resume(request)
        clock = self._clock
        visit = self._log.open_visit(request, self._name, self._index, clock.now)
        visit.operation = operation
        visit.admit(clock.now)
        try:
            yield from self._interpreter.compute(self, request, visit, cpu_time_s)
        except Interrupt:
            visit.close(clock.now, Outcome.ERROR)
            raise
        return visit.close(clock.now, Outcome.OK)
