"""What a process does not ask for: calls beyond a bulkhead, and work whose deadline has passed."""

from __future__ import annotations

from simpy import Interrupt

from lab.simulation.clock import Clock
from lab.simulation.gone import Gone
from lab.simulation.line import Line
from lab.simulation.log import Log, Visit
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.steps import Runnable


class Bulkhead:
    """Permits for the calls of one other component, of one worker process; shared by all steps that call it.

    Its rows: ``SERVICE.bulkhead.TARGET``, from when a call is wanted to when it is answered.
    """

    def __init__(self, *, place: tuple[Clock, Log, str], process: int, max_concurrent: int, max_wait_s: float) -> None:
        self.clock, self._log, self._name = place
        self._process = process
        self.permits = Line(self.clock, max_concurrent)
        self.max_wait_s = max_wait_s

    def open_visit(self, request: Request) -> Visit:
        """Return the row of a call that is wanted now."""
        return self._log.open_visit(request, self._name, self._process, self.clock.now)


class BehindBulkhead:
    """A call that needs a permit, and fails if there is none in time.

    Source: resilience4j 2.x, SemaphoreBulkhead (fair).
    """

    def __init__(self, *, bulkhead: Bulkhead, step: Runnable) -> None:
        self._bulkhead = bulkhead
        self._step = step

    def run(self, request: Request, visit: Visit) -> Handling:
        """Wait for a permit, call, and give it back."""
        bulkhead, permits = self._bulkhead, self._bulkhead.permits
        clock, row = bulkhead.clock, bulkhead.open_visit(request)
        try:
            permitted = not permits.full or bulkhead.max_wait_s > 0
            if not permitted or not (yield from permits.enter(bulkhead.max_wait_s)):
                row.turn_away(clock.now, Outcome.REJECTED)
                return Outcome.ERROR
            row.admit(clock.now)
            outcome = yield from self._step.run(request, visit)
        except Interrupt:  # the process died
            row.cut_off(clock.now)
            raise
        permits.leave()
        row.close(clock.now, outcome)
        return outcome


class UnlessExpired:
    """Steps that are not begun for a client that has given up.

    What travels with a request is the time that its client will still wait; a service knows that it is over at the
    very moment at which the client gives up, so it may as well ask whether the client has.
    """

    def __init__(self, *, gone: Gone, steps: Runnable) -> None:
        self._gone = gone
        self._steps = steps

    def run(self, request: Request, visit: Visit) -> Handling:
        """Do the steps if somebody still waits for them."""
        if not request.background and self._gone.since(request) is not None:
            return Outcome.REJECTED
        return (yield from self._steps.run(request, visit))
