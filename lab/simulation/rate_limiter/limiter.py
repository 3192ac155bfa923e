"""A rate limiter before another part."""

from __future__ import annotations

from collections.abc import Callable

from lab.simulation.clock import Clock
from lab.simulation.log import Log
from lab.simulation.rate_limiter.rules import Rule
from lab.simulation.request import Handling, Outcome, Part, Request
from lab.simulation.variate import Variate


class Counts:
    """One count each for all subjects: the limiter asks for the subject of a request (its key, its client).

    Args:
        subject_of: whose count it is.
        new: makes the count of a subject that comes for the first time.
    """

    def __init__(self, *, subject_of: Callable[[Request], int], new: Callable[[], Rule]) -> None:
        self._subject_of = subject_of
        self._new = new
        self._rules: dict[int, Rule] = {}

    def admits(self, request: Request, now_s: float) -> bool:
        """Return whether the request may pass now, and count it if so."""
        subject = self._subject_of(request)
        rule = self._rules.get(subject)
        if rule is None:
            rule = self._rules[subject] = self._new()
        return rule.admits(now_s)


class RateLimiter:
    """Counts each guarded request on arrival, and after the time of the check passes it on or turns it away.

    ::

        guarded? --no----------------------------> passed on
           | yes
        counted --> check time --> within the limit? --yes--> passed on
                                         `--no--> rejected (429)

    Its row ends with the check, and says whether the request was let pass (``ok``) or not (``rejected``), whatever
    becomes of it behind. What is not guarded leaves no row.

    Args:
        guarded: the endpoints that it guards; None: all.
    """

    def __init__(
        self,
        *,
        place: tuple[Clock, Log, str],
        target: Part,
        guarded: frozenset[str] | None,
        counts: Counts,
        check_time: Variate | None,
    ) -> None:
        self._clock, self._log, self._name = place
        self._target = target
        self._guarded = guarded
        self._counts = counts
        self._check_time = check_time

    def handle(self, request: Request) -> Handling:
        """Pass the request on, or turn it away."""
        if self._guarded is None or request.operation in self._guarded:
            clock = self._clock
            visit = self._log.open_visit(request, self._name, 0, clock.now)
            visit.waiting_time_s = 0.0
            admitted = self._counts.admits(request, clock.now)
            if admitted:
                visit.admit(clock.now)
            if self._check_time is not None:
                visit.service_time_s = self._check_time(request)
                yield clock.timeout(visit.service_time_s)
            if not admitted:
                return visit.close(clock.now, Outcome.REJECTED)
            visit.close(clock.now, Outcome.OK)
        return (yield from self._target.handle(request))
