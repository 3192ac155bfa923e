"""How many replicas may be started now: an allowance that comes back bit by bit."""

from __future__ import annotations

_WHOLE = 1 - 1e-9  # of one start


class Ramp:
    """Lets at most ``burst`` replicas start at once; what is not used beyond that is not saved up.

    >>> ramp = Ramp(burst=1, rate_per_s=0.5)
    >>> [ramp.take(at_s) for at_s in (10.0, 11.0, 12.0)]
    [True, False, True]
    """

    def __init__(self, *, burst: int, rate_per_s: float) -> None:
        self._burst = burst
        self._rate_per_s = rate_per_s
        self._left = float(burst)
        self._since_s: float | None = None

    def take(self, now_s: float) -> bool:
        """Take one start, if there is one; return whether there was."""
        elapsed_s = 0.0 if self._since_s is None else now_s - self._since_s
        self._left = min(self._burst, self._left + elapsed_s * self._rate_per_s)
        self._since_s = now_s
        if self._left < _WHOLE:
            return False
        self._left -= 1
        return True
