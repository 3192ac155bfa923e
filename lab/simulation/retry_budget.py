"""A retry budget: a purse of tokens that many requests fill and retries are paid from."""

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
