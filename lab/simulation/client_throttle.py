"""Client-side throttling: a client that rejects by itself what its backend would probably reject."""

from __future__ import annotations

from collections import deque

from lab.randomness import Stream
from lab.scenario.client_throttle import Throttle
from lab.simulation.clock import Clock


class ClientThrottle:
    """Compares what the client wanted to send within the window with what the backend accepted within it.

    Whether a request is sent is drawn at its own address, by what was counted before it; then it counts itself.
    """

    def __init__(self, *, clock: Clock, draws: Stream, spec: Throttle) -> None:
        self._clock = clock
        self._draws = draws
        self._multiplier = spec.multiplier
        self._window_s = spec.window
        self._requests: deque[float] = deque()  # when each was wanted
        self._accepts: deque[float] = deque()  # when each good answer came

    def permits(self, number: int, attempt: int) -> bool:
        """Return whether an attempt is sent; else it is rejected here."""
        since_s = self._clock.now - self._window_s
        for times_s in (self._requests, self._accepts):
            while times_s and times_s[0] <= since_s:
                times_s.popleft()
        requests, accepts = len(self._requests), len(self._accepts)
        self._requests.append(self._clock.now)
        excess = requests - self._multiplier * accepts
        return excess <= 0 or self._draws.uniform(number, attempt) >= excess / (requests + 1)

    def accept(self) -> None:
        """Note that an attempt was answered ok."""
        self._accepts.append(self._clock.now)
