"""The steps of an endpoint as a replica does them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from simpy import Interrupt

from lab.randomness import child_visit, name_key
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.event_loop import Loop
from lab.simulation.log import Visit
from lab.simulation.request import Handling, Outcome, Part, Request
from lab.simulation.variate import Variate

_COPY = name_key("hedge")
_MASK = 2**64 - 1


class Runnable(Protocol):
    """One step; ``visit`` is the replica's row, to which its own work is added."""

    def run(self, request: Request, visit: Visit) -> Handling:
        """Do the step and return how it ended."""
        ...


class Steps:
    """One step after the other, until one fails."""

    def __init__(self, steps: tuple[Runnable, ...]) -> None:
        self._steps = steps

    def run(self, request: Request, visit: Visit) -> Handling:
        """Do them all; the first that fails fails the endpoint."""
        for step in self._steps:
            outcome = yield from step.run(request, visit)
            if outcome is not Outcome.OK:
                return outcome
        return Outcome.OK


class Compute:
    """CPU work on the event loop."""

    def __init__(self, *, event_loop: Loop, time_s: Variate, ordinal: int) -> None:
        self._event_loop = event_loop
        self._time_s = time_s
        self._ordinal = ordinal

    def run(self, request: Request, visit: Visit) -> Handling:
        """Occupy the event loop for the drawn time."""
        return self._event_loop.compute(request, self._time_s(request, self._ordinal), "cpu")


class Awaiting:
    """A step that waits for something else: meanwhile the event loop is free for others."""

    def __init__(self, *, event_loop: Loop, step: Runnable) -> None:
        self._event_loop = event_loop
        self._step = step

    def run(self, request: Request, visit: Visit) -> Handling:
        """Let go of the loop, do the step, and get the loop again before going on."""
        self._event_loop.suspend(request)
        outcome = yield from self._step.run(request, visit)
        yield from self._event_loop.resume(request)
        return outcome


class Detached:
    """A step that is done elsewhere: when the caller's process dies, what it asked for is still done."""

    def __init__(self, *, clock: Clock, step: Runnable) -> None:
        self._clock = clock
        self._step = step

    def run(self, request: Request, visit: Visit) -> Handling:
        """Do the step in a process of its own, and wait for it."""
        outcome = yield self._clock.process(self._step.run(request, visit))
        return Outcome(str(outcome))


class Wait:
    """Something that takes time elsewhere."""

    def __init__(self, *, clock: Clock, time_s: Callable[[Request, int], float], ordinal: int) -> None:
        self._clock = clock
        self._time_s = time_s
        self._ordinal = ordinal

    def run(self, request: Request, visit: Visit) -> Handling:
        """Let the drawn time pass."""
        time_s, since_s = self._time_s(request, self._ordinal), self._clock.now
        visit.service_time_s += time_s
        try:
            yield self._clock.timeout(time_s)
        except Interrupt:  # the process died
            visit.service_time_s -= time_s - (self._clock.now - since_s)
            raise
        return Outcome.OK


class Access:
    """One access of a cache: ``get``, ``set``, ``delete``, or one of a protection's own."""

    def __init__(self, *, cache: Part, operation: str, ordinal: int) -> None:
        self._cache = cache
        self._operation = operation
        self._ordinal = ordinal

    def run(self, request: Request, visit: Visit) -> Handling:
        """Ask the cache under the visit number of this step."""
        return self._cache.handle(request.child(self._operation, child_visit(request.visit, self._ordinal)))


class Query:
    """One statement on the database."""

    def __init__(self, *, database: Part, query: str, ordinal: int) -> None:
        self._database = database
        self._query = query
        self._ordinal = ordinal

    def run(self, request: Request, visit: Visit) -> Handling:
        """Ask the database under the visit number of this use of the query."""
        return self._database.handle(request.child(self._query, child_visit(request.visit, self._ordinal)))


class Call:
    """A call of another service; whatever goes wrong there is a bad gateway here (502)."""

    def __init__(self, *, target: Part, endpoint: str, ordinal: int) -> None:
        self._target = target
        self._endpoint = endpoint
        self._ordinal = ordinal

    def run(self, request: Request, visit: Visit) -> Handling:
        """Call and wait for the answer."""
        callee = request.child(self._endpoint, child_visit(request.visit, self._ordinal))
        outcome = yield from self._target.handle(callee)
        return Outcome.OK if outcome is Outcome.OK else Outcome.ERROR

    def copy(self, request: Request, number: int) -> Handling:
        """Call for one of several copies: the first (0) where a plain call draws, each other at a place of its own."""
        place = child_visit(request.visit, self._ordinal)
        if number:
            place = child_visit(place, (_COPY + number) & _MASK)
        return self._target.handle(request.child(self._endpoint, place))


class TimedCall:
    """A call whose answer is waited for no longer than a limit; after it the callee works on for nobody.

    An answer at the very limit has come in time.
    """

    def __init__(self, *, clock: Clock, call: Call, limit_s: float) -> None:
        self._clock = clock
        self._call = call
        self._limit_s = limit_s

    def run(self, request: Request, visit: Visit) -> Handling:
        """Call, and wait for the answer until the limit."""
        answer = self._clock.process(self._call.run(request, visit))
        yield answer | Timer(self._clock, self._limit_s, Order.EXPIRY)
        return Outcome(str(answer.value)) if answer.processed else Outcome.ERROR


class Publish:
    """A message to a queue; a queue that refuses it is an error here."""

    def __init__(self, *, queue: Part, operation: str, ordinal: int) -> None:
        self._queue = queue
        self._operation = operation
        self._ordinal = ordinal

    def run(self, request: Request, visit: Visit) -> Handling:
        """Publish, and go on when the broker has the message."""
        message = request.child(self._operation, child_visit(request.visit, self._ordinal))
        outcome = yield from self._queue.handle(message)
        return Outcome.OK if outcome is Outcome.OK else Outcome.ERROR


class Parallel:
    """Several lists of steps at once; goes on when all have ended."""

    def __init__(self, *, clock: Clock, event_loop: Loop, branches: tuple[Steps, ...]) -> None:
        self._clock = clock
        self._event_loop = event_loop
        self._branches = branches

    def run(self, request: Request, visit: Visit) -> Handling:
        """Start every branch, wait for all; one failed branch fails the step."""
        # Each branch is a task of its own, which competes for the event loop with the others.
        tasks = [request.child(request.operation, request.visit) for _ in self._branches]
        branches = zip(self._branches, tasks, strict=True)
        running = [self._clock.process(self._run(branch, task, visit)) for branch, task in branches]
        result = Outcome.OK
        try:
            for process in running:
                outcome = yield process
                if outcome is not Outcome.OK:
                    result = Outcome.ERROR
        except Interrupt:  # the process died, and all its tasks with it
            for process in running:
                if process.is_alive:
                    process.defused = True
                    process.interrupt()
            raise
        return result

    def _run(self, branch: Steps, task: Request, visit: Visit) -> Handling:
        yield from self._event_loop.resume(task)
        outcome = yield from branch.run(task, visit)
        self._event_loop.suspend(task)
        return outcome
