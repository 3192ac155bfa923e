"""What happened: a row a visit and a row a request, opened on arrival and filled in on the way.

A row that is still open when the run ends says so (``in_flight``); nothing is dropped.
"""

from __future__ import annotations

import math

from lab.simulation.request import Outcome, Request

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
        "component",
        "departure_s",
        "hit",
        "operation",
        "outcome",
        "replica",
        "request",
        "service_time_s",
        "waiting_time_s",
    )

    def __init__(self, request: Request, component: str, replica: int, arrival_s: float) -> None:
        self.request = request.number
        self.attempt = request.attempt
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

    def admit(self, now_s: float) -> None:
        """Note that the wait in this part's queue is over."""
        self.admitted_s = now_s
        self.waiting_time_s = now_s - self.arrival_s

    def close(self, now_s: float, outcome: Outcome) -> Outcome:
        """Note the end, and return how it was."""
        self.departure_s = now_s
        self.outcome = outcome
        return outcome

    def turn_away(self, now_s: float, outcome: Outcome) -> Outcome:
        """Note an end in the queue: all of the stay was waiting."""
        self.waiting_time_s = now_s - self.arrival_s
        return self.close(now_s, outcome)


class Log:
    """Everything that one replication observed, in the order in which it began."""

    def __init__(self) -> None:
        self.visits: list[Visit] = []

    def open_visit(self, request: Request, component: str, replica: int, now_s: float) -> Visit:
        """Return a new row for a request that arrives at a part now."""
        visit = Visit(request, component, replica, now_s)
        self.visits.append(visit)
        return visit
