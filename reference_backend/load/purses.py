"""Purses of tokens that bound the attempts beyond the first of many requests."""

from __future__ import annotations

from reference_backend.client import Budget
from reference_backend.client import HedgeThrottle as HedgeThrottleSpec

_ROUNDING = 1e-9  # ten deposits of 0.1 pay for one attempt, whatever their last bits


class RetryBudget:
    """Starts full; a request adds ``ratio``, a further attempt costs 1.

    >>> budget = RetryBudget(Budget(ratio=0.5, burst=1))
    >>> [budget.pay(), budget.pay()]
    [True, False]
    >>> budget.deposit(); budget.deposit()
    >>> budget.pay()
    True
    """

    def __init__(self, spec: Budget) -> None:
        self._spec = spec
        self._tokens = float(spec.burst)

    def deposit(self) -> None:
        """Note a new request."""
        self._tokens = min(float(self._spec.burst), self._tokens + self._spec.ratio)

    def pay(self) -> bool:
        """Pay for one more attempt, if there is enough."""
        if self._tokens + _ROUNDING < 1.0:
            return False
        self._tokens -= 1.0
        return True


class HedgeThrottle:
    """gRPC's: starts full, a failed copy costs 1, a good one adds ``ratio``; further copies while over half are there.

    >>> throttle = HedgeThrottle(HedgeThrottleSpec(tokens=4, ratio=0.5))
    >>> throttle.note(ok=False); throttle.permits()
    True
    >>> throttle.note(ok=False); throttle.permits()
    False
    >>> throttle.note(ok=True); throttle.permits()
    True
    """

    def __init__(self, spec: HedgeThrottleSpec) -> None:
        self._spec = spec
        self._tokens = float(spec.tokens)

    def note(self, *, ok: bool) -> None:
        """Note how a copy ended that was still waited for."""
        if ok:
            self._tokens = min(float(self._spec.tokens), self._tokens + self._spec.ratio)
        else:
            self._tokens = max(0.0, self._tokens - 1.0)

    def permits(self) -> bool:
        """Return whether a further copy may be sent."""
        return self._tokens > self._spec.tokens / 2 + _ROUNDING
