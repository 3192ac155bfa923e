"""What the generator heeds before it sends: its throttle, its circuit breaker, its purses, as far as it has them."""

from __future__ import annotations

from collections.abc import Callable

from reference_backend.circuit_breaker import CircuitBreaker, Tell
from reference_backend.client import Client
from reference_backend.load.purses import HedgeThrottle, RetryBudget
from reference_backend.load.throttle import ClientThrottle


class Guard:
    """One for all requests: made once a repeat, as they all learn from each other's attempts.

    Args:
        spec: the client.
        now: the time in seconds.
        tell: called with a kind and details when a circuit breaker changes its state.
    """

    def __init__(self, spec: Client, *, now: Callable[[], float], tell: Tell) -> None:
        hedge_throttle = spec.hedge.throttle if spec.hedge else None
        self._breaker = CircuitBreaker(spec.circuit_breaker, now=now, tell=tell) if spec.circuit_breaker else None
        self._throttle = ClientThrottle(spec.throttle, now=now) if spec.throttle else None
        self._budget = RetryBudget(spec.budget) if spec.budget else None
        self._hedge_throttle = HedgeThrottle(hedge_throttle) if hedge_throttle else None

    def asked(self) -> None:
        """Note a new request."""
        if self._budget is not None:
            self._budget.deposit()

    def permits(self, coin: float) -> bool:
        """Return whether an attempt may be sent now; its coin is for the throttle.

        The throttle comes first: it counts what the breaker holds back, and a half-open breaker counts what is sent.
        """
        if self._throttle is not None and not self._throttle.permits(coin=coin):
            return False
        return self._breaker is None or self._breaker.permits()

    def pay(self) -> bool:
        """Pay for an attempt beyond the first, if that is possible."""
        if self._hedge_throttle is not None and not self._hedge_throttle.permits():
            return False
        return self._budget is None or self._budget.pay()

    def note(self, *, ok: bool) -> None:
        """Note how an attempt ended that was still waited for."""
        if ok and self._throttle is not None:
            self._throttle.accept()
        if self._breaker is not None:
            self._breaker.note(failed=not ok)
        if self._hedge_throttle is not None:
            self._hedge_throttle.note(ok=ok)
