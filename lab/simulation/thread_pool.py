"""The threads of a process: where handlers that are not coroutines run (anyio's worker threads)."""

from __future__ import annotations

from collections.abc import Callable

from simpy import Interrupt

from lab.simulation.clock import Clock, Handover
from lab.simulation.interpreter import Interpreter
from lab.simulation.line import Line
from lab.simulation.log import Log, Visit
from lab.simulation.processor import Job, Processor
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.steps import Runnable, Steps
from lab.simulation.variate import Variate


class ThreadPool:
    """A number of tokens, each of which lets one thread run; who finds none waits, first come first served."""

    def __init__(self, *, clock: Clock, log: Log, name: str, index: int, threads: int) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._index = index
        self.tokens = Line(clock, threads)

    def open_visit(self, request: Request) -> Visit:
        """Return the row of a thread: its wait for a token, then its CPU time and waits; a token is held meanwhile."""
        visit = self._log.open_visit(request, self._name, self._index, self._clock.now)
        visit.operation = "thread"
        return visit


class InThread:
    """Steps that are done in a thread, one after the other, while the event loop serves others."""

    def __init__(self, *, clock: Clock, pool: ThreadPool, interpreter: Interpreter, steps: Steps) -> None:
        self._clock = clock
        self._pool = pool
        self._interpreter = interpreter
        self._steps = steps

    def run(self, request: Request, visit: Visit) -> Handling:  # the thread's own row takes the work
        """Take a token, do the steps, and give it back."""
        clock, tokens = self._clock, self._pool.tokens
        thread = self._pool.open_visit(request)
        try:
            yield from tokens.enter()
            thread.admit(clock.now)
            outcome = yield from self._steps.run(request, thread)
        except Interrupt:  # the process died
            thread.cut_off(clock.now)
            raise
        self._interpreter.release(request)
        tokens.leave()
        return thread.close(clock.now, outcome)


class ComputeInThread:
    """CPU work in a thread, which competes with the event loop and the other threads for the interpreter."""

    def __init__(self, *, interpreter: Interpreter, time_s: Variate, ordinal: int) -> None:
        self._interpreter = interpreter
        self._time_s = time_s
        self._ordinal = ordinal

    def run(self, request: Request, visit: Visit) -> Handling:
        """Compute for the drawn time."""
        return self._interpreter.compute(request, request, visit, self._time_s(request, self._ordinal))


class ComputeBeside:
    """CPU work of a thread that has let go of the interpreter, so that it computes at the same time as the event loop.

    It competes with the event loop, and with other such threads, for nothing but the cores of their host.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        interpreter: Interpreter,
        new_processor: Callable[[], Processor],
        time_s: Variate,
        ordinal: int,
    ) -> None:
        self._clock = clock
        self._interpreter = interpreter
        self._new_processor = new_processor
        self._time_s = time_s
        self._ordinal = ordinal

    def run(self, request: Request, visit: Visit) -> Handling:
        """Let go of the interpreter, compute for the drawn time, and get the interpreter back before going on."""
        self._interpreter.release(request)
        over = Handover(self._clock)
        job = Job(request, self._time_s(request, self._ordinal) * self._interpreter.factor, lambda _: over.give(None))
        if job.left_s > 0:
            processor = self._new_processor()
            self._interpreter.compute_beside(job, processor)
            try:
                yield over
            except Interrupt:
                processor.halt()
                raise
            finally:
                self._interpreter.end_beside(job, processor)
                visit.service_time_s += job.used_s
        yield from self._interpreter.acquire(request, request)
        return Outcome.OK


class Blocking:
    """A step for which a thread waits: it keeps its token, lets the others compute, and then needs the interpreter."""

    def __init__(self, *, interpreter: Interpreter, step: Runnable) -> None:
        self._interpreter = interpreter
        self._step = step

    def run(self, request: Request, visit: Visit) -> Handling:
        """Let go of the interpreter, do the step, and get the interpreter back before going on."""
        self._interpreter.release(request)
        outcome = yield from self._step.run(request, visit)
        yield from self._interpreter.acquire(request, request)
        return outcome
