"""What each algorithm lets pass: one count each, for one key, one client, or all together.

Times that fall together count as together: a nanosecond or a billionth of a token is no difference.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Protocol

_INSTANT = 1e-9  # of a second, a token, a window: what many small steps in floating point may lose


class Rule(Protocol):
    """Counts those that it lets pass."""

    def admits(self, now_s: float) -> bool:
        """Return whether one more may pass now, and count it if so. Times never go back."""
        ...


class TokenBucket:
    """A bucket that is full at the start and gains tokens steadily; each request that passes takes one out.

    In any stretch of t seconds at most size + rate x t pass.
    """

    __slots__ = ("_rate_per_s", "_since_s", "_size", "_tokens")

    def __init__(self, *, rate_per_s: float, size: int) -> None:
        self._rate_per_s = rate_per_s
        self._size = size
        self._tokens = float(size)
        self._since_s = 0.0

    def admits(self, now_s: float) -> bool:
        """Take a token out if there is a whole one."""
        self._tokens = min(self._size, self._tokens + (now_s - self._since_s) * self._rate_per_s)
        self._since_s = now_s
        if self._tokens < 1 - _INSTANT:
            return False
        self._tokens -= 1
        return True


class Gcra:
    """The generic cell rate algorithm: a bucket kept as one time, at which the next request would be no burst.

    That time moves on by one interval T with each request that passes, and may lie burst + 1 intervals ahead. So
    burst + 1 pass at once, and it is the token bucket of that size.

    Source: redis-cell (CL.THROTTLE): tau = T x (max_burst + 1).
    """

    __slots__ = ("_ahead_s", "_interval_s", "_next_s")

    def __init__(self, *, interval_s: float, burst: int) -> None:
        self._interval_s = interval_s
        self._ahead_s = interval_s * (burst + 1)
        self._next_s = 0.0  # the theoretical arrival time

    def admits(self, now_s: float) -> bool:
        """Let it pass if that leaves the next time close enough."""
        next_s = max(now_s, self._next_s) + self._interval_s
        if now_s < next_s - self._ahead_s - _INSTANT:
            return False
        self._next_s = next_s
        return True


class FixedWindow:
    """A count that starts anew with each window: up to twice the limit pass around an edge.

    Windows begin at 0, 1, 2, ... of them, or each with the first request after the one before is over.
    """

    __slots__ = ("_by_clock", "_count", "_limit", "_since_s", "_window_s")

    def __init__(self, *, limit: int, window_s: float, by_clock: bool = True) -> None:
        self._limit = limit
        self._window_s = window_s
        self._by_clock = by_clock
        self._since_s = 0.0 if by_clock else -math.inf
        self._count = 0

    def admits(self, now_s: float) -> bool:
        """Count it if fewer than the limit passed in this window."""
        since_s = self._since_s
        if self._by_clock:
            since_s = place_in_windows(now_s, self._window_s)[0] * self._window_s
        elif now_s - since_s >= self._window_s - _INSTANT:
            since_s = now_s
        if since_s != self._since_s:
            self._since_s, self._count = since_s, 0
        if self._count >= self._limit:
            return False
        self._count += 1
        return True


class SlidingWindowLog:
    """Remembers when each of the last ones passed: never more than the limit in any window, both its ends included.

    Source: limits 5.x, moving window (an entry as old as the window still counts).
    """

    __slots__ = ("_limit", "_passed_s", "_window_s")

    def __init__(self, *, limit: int, window_s: float) -> None:
        self._limit = limit
        self._window_s = window_s
        self._passed_s: deque[float] = deque()

    def admits(self, now_s: float) -> bool:
        """Let it pass if the one that passed ``limit`` ago is out of the window."""
        passed_s = self._passed_s
        if len(passed_s) == self._limit:
            if now_s - passed_s[0] <= self._window_s + _INSTANT:
                return False
            passed_s.popleft()
        passed_s.append(now_s)
        return True


class SlidingWindowCounter:
    """Two counts instead of a log: this fixed window's, and of the last one's what a sliding window still covers.

    The last window's requests are taken to have come evenly. Where they came at its end, more than the limit pass in
    a sliding window; where they came at its beginning, fewer.

    Windows begin at 0, 1, 2, ... of them; or the first with the first request, as does the one after a pause of a whole
    window, and each other one when the one before is over.

    Source: limits 5.x, sliding window counter: passes while the whole part of last x (1 - elapsed) + current is below
    the limit.
    """

    __slots__ = ("_by_clock", "_count", "_last", "_limit", "_number", "_origin_s", "_window_s")

    def __init__(self, *, limit: int, window_s: float, by_clock: bool = True) -> None:
        self._limit = limit
        self._window_s = window_s
        self._by_clock = by_clock
        self._origin_s = 0.0 if by_clock else -math.inf
        self._number = 0
        self._last = 0
        self._count = 0

    def admits(self, now_s: float) -> bool:
        """Count it if the weighted counts leave room for one more."""
        if not self._by_clock and now_s - self._origin_s >= (self._number + 2) * self._window_s - _INSTANT:
            self._origin_s, self._number, self._last, self._count = now_s, 0, 0, 0
        number, elapsed = place_in_windows(now_s - self._origin_s, self._window_s)
        if number != self._number:
            self._last = self._count if number == self._number + 1 else 0
            self._number, self._count = number, 0
        if math.floor(self._last * (1 - elapsed) + self._count + _INSTANT) >= self._limit:
            return False
        self._count += 1
        return True


def place_in_windows(time_s: float, window_s: float) -> tuple[int, float]:
    """Return the number of the window that a time lies in, and how much of that window is over, from 0 to 1.

    >>> place_in_windows(0.3, 0.1)
    (3, 0.0)
    """
    windows = time_s / window_s
    number = math.floor(windows + _INSTANT)
    return number, max(0.0, windows - number)
