"""What one client heeds before it sends: its circuit breaker and its retry budget."""

from __future__ import annotations

from lab.simulation.circuit_breaker import CircuitBreaker
from lab.simulation.request import Outcome
from lab.simulation.retry_budget import RetryBudget


class Guard:
    """The breaker and the budget of one client, either of which may be absent."""

    __slots__ = ("_breaker", "_budget")

    def __init__(self, *, breaker: CircuitBreaker | None, budget: RetryBudget | None) -> None:
        self._breaker = breaker
        self._budget = budget

    def asked(self) -> None:
        """Note that the client has a new request."""
        if self._budget is not None:
            self._budget.deposit()

    def permits(self) -> bool:
        """Return whether an attempt may be sent now."""
        return self._breaker is None or self._breaker.permits()

    def note(self, outcome: Outcome) -> None:
        """Note how an attempt ended."""
        if self._breaker is not None:
            self._breaker.note(outcome is not Outcome.OK)

    def pay(self) -> bool:
        """Pay for a retry, and return whether there was enough for it."""
        return self._budget is None or self._budget.pay()
