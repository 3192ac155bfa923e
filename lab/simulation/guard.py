"""What one client heeds before it sends: its throttle, its circuit breaker, and what pays for further attempts."""

from __future__ import annotations

from lab.simulation.circuit_breaker import CircuitBreaker
from lab.simulation.client_throttle import ClientThrottle
from lab.simulation.request import Outcome
from lab.simulation.retry_budget import HedgeThrottle, RetryBudget


class Guard:
    """The throttle, the breaker and the purses of one client, any of which may be absent."""

    __slots__ = ("_breaker", "_budget", "_hedge_throttle", "_throttle")

    def __init__(
        self,
        *,
        throttle: ClientThrottle | None = None,
        breaker: CircuitBreaker | None = None,
        budget: RetryBudget | None = None,
        hedge_throttle: HedgeThrottle | None = None,
    ) -> None:
        self._throttle = throttle
        self._breaker = breaker
        self._budget = budget
        self._hedge_throttle = hedge_throttle

    def asked(self) -> None:
        """Note that the client has a new request."""
        if self._budget is not None:
            self._budget.deposit()

    def permits(self, number: int, attempt: int) -> bool:
        """Return whether this attempt of a request may be sent now."""
        # The throttle first: it counts what the breaker holds back, while a half-open breaker counts what is sent.
        if self._throttle is not None and not self._throttle.permits(number, attempt):
            return False
        return self._breaker is None or self._breaker.permits()

    def note(self, outcome: Outcome) -> None:
        """Note how an attempt ended."""
        ok = outcome is Outcome.OK
        if self._throttle is not None and ok:
            self._throttle.accept()
        if self._breaker is not None:
            self._breaker.note(not ok)
        if self._hedge_throttle is not None:
            self._hedge_throttle.note(ok)

    def pay(self) -> bool:
        """Pay for a further attempt, and return whether there was enough for it."""
        if self._hedge_throttle is not None and not self._hedge_throttle.permits:
            return False
        return self._budget is None or self._budget.pay()
