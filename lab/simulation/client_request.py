"""A client's request from its intended start to its end, over all of its attempts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from lab.simulation.guard import Guard
from lab.simulation.request import Outcome


class ClientRequest:
    """One row of the requests table while it happens.

    Attributes:
        number: which request it is; addresses its draws.
        attempts: those that were sent.
        pending: whether an attempt is under way, the one with number attempts - 1; not kept by who hedges.
        failed: how the last attempt ended, once one has failed.
        retry_delay_s: how long was waited before the last retry; None before the first.
        guard: what its client knows of attempts before it, or None if it heeds nothing of it.
        ended: whom to tell when it has ended, or None.
    """

    __slots__ = (
        "attempts",
        "end_s",
        "ended",
        "endpoint",
        "failed",
        "guard",
        "intended_start_s",
        "key",
        "number",
        "outcome",
        "pending",
        "retry_delay_s",
        "start_s",
    )

    def __init__(  # what is asked, by whom, and who wants to know; made once a request, so positional
        self,
        number: int,
        endpoint: str,
        key: int,
        intended_start_s: float,
        guard: Guard | None = None,
        ended: Callable[[ClientRequest], None] | None = None,
    ) -> None:
        self.number = number
        self.endpoint = endpoint
        self.key = key
        self.intended_start_s = intended_start_s
        self.guard = guard
        self.ended = ended
        self.start_s = math.nan
        self.end_s = math.nan
        self.outcome = Outcome.IN_FLIGHT
        self.attempts = 0
        self.pending = False
        self.failed: Outcome | None = None
        self.retry_delay_s: float | None = None


class Asks(Protocol):
    """Sends requests, over as many attempts as each takes."""

    def ask(self, asked: ClientRequest) -> None:
        """Send a new request now."""
        ...
