"""Purses of tokens that bound the attempts beyond the first of many requests."""

from __future__ import annotations

_ROUNDING = 1e-9  # ten deposits of 0.1 pay for one retry, whatever their last bits


class RetryBudget:
    """Starts full, with ``burst`` tokens; a request adds ``ratio``, a retry costs 1.

    >>> budget = RetryBudget(ratio=0.5, burst=1)
    >>> [budget.pay(), budget.pay()]
    [True, False]
    >>> budget.deposit(); budget.deposit()
    >>> budget.pay()
    True
    """

    __slots__ = ("_burst", "_ratio", "tokens")

    def __init__(self, *, ratio: float, burst: int) -> None:
        self._ratio = ratio
        self._burst = burst
        self.tokens = float(burst)

    def deposit(self) -> None:
        """Note a new request."""
        self.tokens = min(self.tokens + self._ratio, self._burst)

    def pay(self) -> bool:
        """Pay for a retry, and return whether there was enough for it."""
        if self.tokens < 1 - _ROUNDING:
            return False
        self.tokens -= 1
        return True


class HedgeThrottle:
    """Starts full, with ``tokens``; a failure costs 1, a good answer adds ``ratio``; permits while over half are there.

    >>> throttle = HedgeThrottle(tokens=4, ratio=0.5)
    >>> throttle.note(False); throttle.permits
    True
    >>> throttle.note(False); throttle.permits
    False
    >>> throttle.note(True); throttle.permits
    True
    """

    __slots__ = ("_most", "_ratio", "_tokens")

    def __init__(self, *, tokens: int, ratio: float) -> None:
        self._most = float(tokens)
        self._ratio = ratio
        self._tokens = float(tokens)

    @property
    def permits(self) -> bool:
        """Whether a further copy may be sent."""
        return self._tokens > self._most / 2 + _ROUNDING

    def note(self, ok: bool) -> None:
        """Note how a copy ended."""
        self._tokens = min(self._most, self._tokens + self._ratio) if ok else max(0.0, self._tokens - 1)
