"""A service's slots whose number follows how long requests take."""

from __future__ import annotations

from lab.simulation.adaptive.limits import Limit, Sample
from lab.simulation.clock import Clock
from lab.simulation.log import Log, Visit
from lab.simulation.managed_line import ManagedLine
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.steps import Runnable


class AdaptiveSlots:
    """The slots of one worker process, and the rule that sets their number; read as the gauge ``concurrency_limit``."""

    def __init__(self, *, place: tuple[Clock, Log, str], process: int, line: ManagedLine, limit: Limit) -> None:
        self._clock, self._log, self._name = place
        self._process = process
        self._limit = limit
        self.line = line
        self._note()

    def learn(self, visit: Visit, in_flight: int) -> None:
        """Learn from a request that went well and ends now, and set the number of slots anew."""
        now_s, before = self._clock.now, self._limit.limit
        if now_s > visit.admitted_s:
            self._limit.learn(Sample(end_s=now_s, time_s=now_s - visit.admitted_s, in_flight=in_flight))
        if self._limit.limit != before:
            self._note()
            self.line.resize(self._limit.limit)

    def _note(self) -> None:
        self._log.gauge(self._name, self._process, "concurrency_limit", self._clock.now, self._limit.limit)


class Sampled:
    """Steps whose time, from getting the slot to their end, is a sample; those that fail tell nothing."""

    def __init__(self, *, slots: AdaptiveSlots, steps: Runnable) -> None:
        self._slots = slots
        self._steps = steps

    def run(self, request: Request, visit: Visit) -> Handling:
        """Do the steps, and learn from them."""
        in_flight = self._slots.line.taken
        outcome = yield from self._steps.run(request, visit)
        if outcome is Outcome.OK:
            self._slots.learn(visit, in_flight)
        return outcome
