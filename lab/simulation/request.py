"""What travels through the parts: one attempt of a client's request, and the answer to it."""

from __future__ import annotations

from collections.abc import Generator
from enum import StrEnum
from typing import Protocol

from simpy.events import Event


class Outcome(StrEnum):
    """How a request, or a visit to one part, ended."""

    OK = "ok"
    TIMEOUT = "timeout"  # the client gave up; of a visit: whoever waited gave up
    REJECTED = "rejected"  # turned away by a full queue or after waiting in it (503)
    ERROR = "error"  # any other failure (500, 502, 504)
    IN_FLIGHT = "in_flight"  # the run ended first


Handling = Generator[Event, object, Outcome]
"""What ``handle`` returns: a generator of the events that it waits for, which ends in the outcome."""


class Part(Protocol):
    """Anything that can stand in a scenario."""

    def handle(self, request: Request) -> Handling:
        """Serve the request, taking simulated time, and return how it ended."""
        ...


class Request:
    """One attempt of a client's request as one part sees it.

    Attributes:
        number: the client's request, 0, 1, 2, ...
        attempt: 0 for the first attempt, 1 for the first retry.
        operation: what is asked of this part: an endpoint, a query, ``get`` or ``set``.
        key: which item the request is about.
        visit: the place in the call tree, which addresses the draws (see lab.scenario.demands).
        background: whether it is worked on behind a queue, so that no client waits for it.
        goes_on: whether it is of use to others than its client, so that nobody ends it when the client leaves.
    """

    goes_on: bool = False  # of the class, so that it costs the many for whom it is false nothing

    __slots__ = ("attempt", "background", "key", "number", "operation", "visit")

    def __init__(  # the address of the work; made several times a request, so positional
        self, number: int, attempt: int, operation: str, key: int, visit: int, background: bool = False
    ) -> None:
        self.number = number
        self.attempt = attempt
        self.operation = operation
        self.key = key
        self.visit = visit
        self.background = background

    def child(self, operation: str, visit: int) -> Request:
        """Return the request that is sent on to another part on behalf of this one."""
        return Request(self.number, self.attempt, operation, self.key, visit, self.background)
