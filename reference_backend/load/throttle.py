"""Client-side throttling: the generator rejects by itself what the backend would probably reject."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from reference_backend.client import Throttle as Spec


class ClientThrottle:
    """Compares what was to be sent within the last window with what was answered well within it.

    >>> throttle = ClientThrottle(Spec(multiplier=1, window_s=60), now=lambda: 0.0)
    >>> [throttle.permits(coin=0.4), throttle.permits(coin=0.4), throttle.permits(coin=0.7)]
    [True, False, True]
    """

    def __init__(self, spec: Spec, *, now: Callable[[], float]) -> None:
        self._spec = spec
        self._now = now
        self._wanted_s: deque[float] = deque()
        self._accepted_s: deque[float] = deque()

    def permits(self, *, coin: float) -> bool:
        """Return whether an attempt is sent, by its drawn number in (0, 1); it counts as wanted from now on."""
        now_s = self._now()
        for times_s in (self._wanted_s, self._accepted_s):
            while times_s and times_s[0] <= now_s - self._spec.window_s:
                times_s.popleft()
        wanted = len(self._wanted_s)
        excess = wanted - self._spec.multiplier * len(self._accepted_s)
        self._wanted_s.append(now_s)
        return coin >= max(0.0, excess) / (wanted + 1)

    def accept(self) -> None:
        """Note a good answer."""
        self._accepted_s.append(self._now())
