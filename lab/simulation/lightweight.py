"""Lightweight processes: each request computes in one of its own, and schedulers share their cores among them."""

from __future__ import annotations

from simpy import Interrupt

from lab.simulation.clock import Clock
from lab.simulation.host import Host
from lab.simulation.interpreter import Interpreter
from lab.simulation.log import Log
from lab.simulation.request import Handling, Outcome, Request


class Schedulers:
    """What an event loop is to coroutines, for processes that are interrupted when their time slice is over (Erlang).

    Nobody has to let go for others to run: who computes for long slows the others down and stops none. A process whose
    answer has come runs on at once; only computing takes turns on the cores, as on a host.

    Its rows: ``NAME.processes``, one for each stretch of computing; those of the turns are the cores'.
    """

    def __init__(self, *, clock: Clock, log: Log, name: str, index: int, cores: Host) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._index = index
        self._cores = cores
        self._computing: dict[Interpreter, None] = {}  # in the order in which they began
        self._spent_s = 0.0
        self._factor = 1.0
        self._frozen = False

    @property
    def idle(self) -> bool:
        """Whether no process computes."""
        return not self._computing

    def resume(self, request: Request) -> Handling:
        """Run on: at once, unless the whole virtual machine stands still."""
        if self._frozen:
            yield from self.compute(request, 0.0, "resume")
        return Outcome.OK

    def suspend(self, request: Request) -> None:
        """Do nothing: who waits has no core."""

    def compute(self, request: Request, cpu_time_s: float, operation: str) -> Handling:
        """Compute for this CPU time, in turns with whoever else does."""
        clock = self._clock
        visit = self._log.open_visit(request, f"{self._name}.processes", self._index, clock.now)
        visit.operation = operation
        visit.admit(clock.now)
        process = Interpreter(
            clock=clock,
            log=self._log,
            name=self._name,
            index=self._index,
            processor=self._cores.process(),
            switch_interval_s=None,
        )
        process.factor = self._factor
        if self._frozen:
            process.freeze()
        self._computing[process] = None
        try:
            yield from process.compute(request, request, visit, cpu_time_s)
        except Interrupt:  # the virtual machine died
            visit.close(clock.now, Outcome.ERROR)
            raise
        finally:
            del self._computing[process]
            self._spent_s += process.cpu_time_s
        return visit.close(clock.now, Outcome.OK)

    def freeze(self) -> None:
        """Stop all processes, in the middle of computing too."""
        self._frozen = True
        for process in self._computing:
            process.freeze()

    def thaw(self) -> None:
        """Let them go on."""
        self._frozen = False
        for process in list(self._computing):
            process.thaw()

    def slow_down(self, factor: float) -> None:
        """Let each stretch of computing that begins from now on take ``factor`` times as long."""
        self._factor = factor

    @property
    def cpu_time_s(self) -> float:
        """CPU time that all processes have used until now."""
        return self._spent_s + sum(process.cpu_time_s for process in self._computing)
