"""One replica of a service: slots, a bounded backlog before them, and an event loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simpy import Interrupt

from lab.simulation.clock import Clock
from lab.simulation.event_loop import Loop, Machine
from lab.simulation.interpreter import Interpreter
from lab.simulation.line import Slots
from lab.simulation.log import Log, Visit
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.variate import Variate

if TYPE_CHECKING:
    from lab.simulation.steps import Runnable


@dataclass(frozen=True, slots=True, kw_only=True)
class Computing:
    """What computes in a replica, and what it computes for every request.

    Attributes:
        event_loop: runs the handlers.
        machine: what stops, is slowed down and is asked for its CPU time; None where none of this ever happens.
        interpreter: what the loop shares with threads, where it is a loop that computes on one.
        overhead: CPU time of the framework for an admitted request that came to an idle process; None where it is 0.
        busy_overhead: the same for one that came to a busy process.
        rejection_overhead: the same for one that is turned away.
    """

    event_loop: Loop
    machine: Machine | None
    interpreter: Interpreter | None
    overhead: Variate | None
    busy_overhead: Variate | None
    rejection_overhead: Variate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Who is let in, and when.

    Attributes:
        slots: how many are worked on at once, and who of those that wait comes next, or is shed.
        backlog: requests that may wait; None: no limit.
        urgencies: by endpoint, for slots that ask for it.
    """

    slots: Slots
    backlog: int | None
    urgencies: Mapping[str, int]


class Replica:
    """An application process that works on ``concurrency`` requests at once and lets ``backlog`` wait.

    ::

        arrives --> read by the event loop --> backlog full? --yes--> rejected (503), for some CPU time
                                                    | no
                    waits for a slot --shed--> rejected (503), for some CPU time
                                                    | it is given
                                           overhead on the event loop --> its steps --> leaves the slot

    Who gets a free slot is the discipline's to say; the event loop itself always serves first come, first served.

    A request whose client has gone keeps its slot to the end, as a real handler does. When the process dies (see
    lab.simulation.fleet), its visits end there and then; its places die with it.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        log: Log,
        name: str,
        index: int,
        admission: Admission,
        computing: Computing,
    ) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._index = index
        self.slots = admission.slots
        self._backlog = admission.backlog
        self._urgencies = admission.urgencies
        self._interpreter = computing.interpreter
        self._machine = computing.machine
        self._overhead = computing.overhead
        self._busy_overhead = computing.busy_overhead
        self._rejection_overhead = computing.rejection_overhead
        self.event_loop = computing.event_loop
        self.endpoints: Mapping[str, Runnable] = {}
        self.wait_factor = 1.0  # how many times as long its wait steps take
        self._stops = 0

    def handle(self, request: Request) -> Handling:
        """Wait for a slot, do the endpoint's steps in it, and give it back."""
        clock, slots, event_loop = self._clock, self.slots, self.event_loop
        overhead = self._overhead
        if overhead is not self._busy_overhead and not event_loop.idle:
            overhead = self._busy_overhead
        yield from event_loop.resume(request)
        visit = self._log.open_visit(request, self._name, self._index, clock.now)
        try:
            if slots.full:
                if self._backlog is not None and slots.queued >= self._backlog:
                    return (yield from self._reject(request, visit))
                event_loop.suspend(request)
                if not (yield from slots.enter(None, self._urgencies.get(request.operation, 0))):
                    return (yield from self._reject(request, visit))
            else:
                yield from slots.enter()
            visit.admit(clock.now)
            yield from event_loop.resume(request)
            if overhead is not None:
                operation = "overhead" if overhead is self._overhead else "busy_overhead"
                yield from event_loop.compute(request, overhead(request), operation)
            outcome = yield from self.endpoints[request.operation].run(request, visit)
        except Interrupt:  # the process died
            visit.close(clock.now, Outcome.ERROR)
            raise
        slots.leave()
        event_loop.suspend(request)
        return visit.close(clock.now, outcome)

    def _reject(self, request: Request, visit: Visit) -> Handling:
        visit.waiting_time_s = self._clock.now - visit.arrival_s
        if self._rejection_overhead is not None:
            yield from self.event_loop.compute(request, self._rejection_overhead(request), "rejection")
        self.event_loop.suspend(request)
        return visit.close(self._clock.now, Outcome.REJECTED)

    def freeze(self) -> None:
        """Stop the process (SIGSTOP): nothing in it goes on, in the middle of computing too.

        What it asked of others is still done, and their answers wait. New requests wait for the event loop. Who stops
        it twice must let it go on twice.
        """
        self._stops += 1
        if self._stops == 1:
            self._own_machine.freeze()

    def thaw(self) -> None:
        """Let the process go on (SIGCONT), unless somebody else still stops it."""
        self._stops -= 1
        if self._stops == 0:
            self._own_machine.thaw()

    def slow_down(self, factor: float) -> None:
        """Let each stretch of computing that begins from now on take ``factor`` times as long."""
        self._own_machine.slow_down(factor)

    def stretch_waits(self, factor: float) -> None:
        """Let each wait step that begins from now on take ``factor`` times as long."""
        self.wait_factor = factor

    def recover(self) -> None:
        """Compute and wait at full speed again from the next stretch on."""
        self.wait_factor = 1.0
        if self._machine is not None:
            self._machine.slow_down(1.0)

    def cpu_time_s(self) -> float:
        """Return the CPU time that the process has used until now."""
        return self._own_machine.cpu_time_s

    @property
    def interpreter(self) -> Interpreter:
        """What computes for its loop and its threads.

        Raises:
            TypeError: it was made without, as it has no threads.
        """
        if self._interpreter is None:
            raise TypeError(f"{self._name}/{self._index} was made without an interpreter: it has no threads")
        return self._interpreter

    @property
    def _own_machine(self) -> Machine:
        if self._machine is None:
            raise TypeError(f"{self._name}/{self._index} was made without faults: it can be neither frozen nor slowed")
        return self._machine
