"""What happened: a row a visit, opened on arrival and filled in on the way; events; gauges that parts keep.

A row that is still open when the run ends says so (``in_flight``); nothing is dropped.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from lab.simulation.request import Outcome, Request

if TYPE_CHECKING:
    from lab.simulation.columns import Asked

_MANY_STEPS = 10_000
_NAN = math.nan


class Visit:
    """One visit of an attempt to one part.

    Attributes:
        waiting_time_s: spent in this part's own queue.
        service_time_s: this part's own work; what it called is not in it.
    """

    __slots__ = (
        "admitted_s",
        "arrival_s",
        "attempt",
        "background",
        "component",
        "departure_s",
        "hit",
        "operation",
        "outcome",
        "replica",
        "request",
        "service_time_s",
        "stale",
        "waiting_time_s",
    )

    def __init__(self, request: Request, component: str, replica: int, arrival_s: float) -> None:
        self.request = request.number
        self.attempt = request.attempt
        self.background = request.background
        self.component = component
        self.replica = replica
        self.operation = request.operation
        self.arrival_s = arrival_s
        self.admitted_s = _NAN
        self.departure_s = _NAN
        self.waiting_time_s = _NAN
        self.service_time_s = 0.0
        self.outcome = Outcome.IN_FLIGHT
        self.hit: bool | None = None
        self.stale: bool | None = None

    def admit(self, now_s: float) -> None:
        """Note that the wait in this part's queue is over."""
        self.admitted_s = now_s
        self.waiting_time_s = now_s - self.arrival_s

    def close(self, now_s: float, outcome: Outcome) -> Outcome:
        """Note the end, and return how it was. From then on the row is final: it may be taken down at any time."""
        self.departure_s = now_s
        self.outcome = outcome
        return outcome

    def turn_away(self, now_s: float, outcome: Outcome) -> Outcome:
        """Note an end in the queue: all of the stay was waiting."""
        self.waiting_time_s = now_s - self.arrival_s
        return self.close(now_s, outcome)

    def cut_off(self, now_s: float) -> Outcome:
        """Note that the process died, wherever the visit was: still in the queue, or in service."""
        end = self.turn_away if math.isnan(self.admitted_s) else self.close
        return end(now_s, Outcome.ERROR)


class Newcomers:
    """The visits to one component, each handed out once; none is missed when the log is taken down."""

    def __init__(self, visits: list[Visit], component: str) -> None:
        self._visits = visits
        self._component = component
        self._looked_at = 0
        self._found: list[Visit] = []

    def take(self) -> list[Visit]:
        """Return those that began since the last time, in that order."""
        self.look()
        found, self._found = self._found, []
        return found

    def look(self) -> None:
        """Find those that began since the last look."""
        visits, component = self._visits, self._component
        for place in range(self._looked_at, len(visits)):
            if visits[place].component == component:
                self._found.append(visits[place])
        self._looked_at = len(visits)

    def start_over(self) -> None:
        """Take all that the log now holds for looked at."""
        self._looked_at = len(self._visits)


class Log:
    """Everything that one replication observed, in the order in which it began.

    Attributes:
        visits: one a visit of an attempt to a part; in a run those that are not taken down yet.
        requests: the clients' requests that are not taken down yet; whoever makes one appends it.
        events: (time in seconds, component, kind, detail as JSON text).
        gauges: by (component, replica, gauge) the steps of its value: (time in seconds, value from then on).
    """

    def __init__(self) -> None:
        self.visits: list[Visit] = []
        self.requests: list[Asked] = []
        self._take: Callable[[float], None] | None = None
        self._every = self._at_most = sys.maxsize
        self._gauge_every_s = 0.0
        self._watched: list[Newcomers] = []
        self.events: list[tuple[float, str, str, str]] = []
        self.gauges: dict[tuple[str, int, str], list[tuple[float, float]]] = {}

    def open_visit(self, request: Request, component: str, replica: int, now_s: float) -> Visit:
        """Return a new row for a request that arrives at a part now."""
        visits = self.visits
        if len(visits) >= self._at_most:
            self._take_down(now_s)
        visit = Visit(request, component, replica, now_s)
        visits.append(visit)
        return visit

    def take_down(self, take: Callable[[float], None], *, every: int, gauge_every_s: float = 0.0) -> None:
        """Have ``take`` called with the time whenever ``every`` more visits have begun; it removes what it takes.

        Args:
            gauge_every_s: of a gauge that has many steps, keep but the last in each stretch of this length.
        """
        self._take, self._every, self._at_most, self._gauge_every_s = take, every, every, gauge_every_s

    def newcomers(self, component: str) -> Newcomers:
        """Return what gives the visits to a component as they come, for a part that watches another."""
        self._watched.append(newcomers := Newcomers(self.visits, component))
        return newcomers

    def _take_down(self, now_s: float) -> None:
        assert self._take is not None  # or there is no limit
        for newcomers in self._watched:
            newcomers.look()
        self._take(now_s)
        for newcomers in self._watched:
            newcomers.start_over()
        self._at_most = len(self.visits) + self._every

    def event(self, component: str, kind: str, time_s: float, **detail: object) -> None:
        """Note that something happened to a component: a fault, a decision, a change of state.

        Args:
            component: its name in the scenario, or ``client``.
            kind: what happened, one word or two: ``crash``, ``scale_up``.
            time_s: when.
            **detail: the inputs that led to it, in plain JSON values; stored as text with sorted names.

        >>> log = Log()
        >>> log.event("api", "scale_up", 15.0, to=4, desired=6)
        >>> log.events
        [(15.0, 'api', 'scale_up', '{"desired":6,"to":4}')]
        """
        text = json.dumps(detail, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        self.events.append((time_s, component, kind, text))

    def gauge(self, component: str, replica: int, name: str, time_s: float, value: float) -> None:
        """Note that a gauge reads ``value`` from ``time_s`` on: a step of a step function.

        A reading that changes nothing is left out, and of several at one time the last stands.

        Args:
            component: its name in the scenario, or ``client``.
            replica: whose gauge it is; -1 for that of all replicas together.
            name: what is read, with its unit: ``replicas_ready``, ``queue_depth``, ``lag_s``; never a name that
                :mod:`lab.runs.gauges` derives from visits.
            time_s: since when; never earlier than this gauge's last reading.
            value: what it reads, in SI units.

        >>> log = Log()
        >>> for time_s, value in ((0.0, 2), (5.0, 2), (9.0, 3), (9.0, 4)):
        ...     log.gauge("api", -1, "replicas_ready", time_s, value)
        >>> log.gauges
        {('api', -1, 'replicas_ready'): [(0.0, 2), (9.0, 4)]}
        """
        steps = self.gauges.setdefault((component, replica, name), [])
        if steps and (steps[-1][0] == time_s or self._too_close(steps, time_s)):
            steps.pop()
        if not steps or steps[-1][1] != value:
            steps.append((time_s, value))

    def _too_close(self, steps: list[tuple[float, float]], time_s: float) -> bool:
        """Tell whether a gauge of many steps has one already in the stretch of this time."""
        every_s = self._gauge_every_s
        return every_s > 0 and len(steps) >= _MANY_STEPS and steps[-1][0] // every_s == time_s // every_s
