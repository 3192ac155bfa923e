"""A bad version of a service: some of its answers are errors."""

from __future__ import annotations

from lab.randomness import Stream
from lab.simulation.log import Visit
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.steps import Runnable


class Failing:
    """The steps of an endpoint in a version that fails a share of the requests, at once or after its steps."""

    def __init__(self, *, steps: Runnable, draws: Stream, error_ratio: float, at_once: bool) -> None:
        self._steps = steps
        self._draws = draws
        self._error_ratio = error_ratio
        self._at_once = at_once

    def run(self, request: Request, visit: Visit) -> Handling:
        """Do the steps, unless the request fails before them; whether it fails is drawn for each attempt."""
        fails = self._draws.uniform(request.number, request.attempt, request.visit) < self._error_ratio
        if fails and self._at_once:
            return Outcome.ERROR
        outcome = yield from self._steps.run(request, visit)
        return Outcome.ERROR if fails else outcome
