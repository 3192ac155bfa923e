"""What the supervisor does during a repeat, each thing at its time."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from itertools import count


class Agenda:
    """Acts with their times on the schedule's clock; what is done may put further acts on it.

    Nothing is done before the clock runs: the schedule's zero is known once the generator tells of it.
    """

    def __init__(self, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._zero_s: float | None = None
        self._acts: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def begin(self, zero_s: float) -> None:
        """Let the clock run: ``zero_s`` is the monotonic time of the schedule's zero."""
        self._zero_s = zero_s

    @property
    def zero_s(self) -> float:
        """The monotonic time of the schedule's zero.

        Raises:
            ValueError: it is not known yet.
        """
        if self._zero_s is None:
            raise ValueError("the schedule has not begun, so there is no time since its zero")
        return self._zero_s

    @property
    def time_s(self) -> float:
        """The time since the schedule's zero.

        Raises:
            ValueError: it is not known yet.
        """
        return self._now_s() - self.zero_s

    def at(self, time_s: float, act: Callable[[], None]) -> None:
        """Have something done at a time since the schedule's zero; at once, if that is past."""
        heapq.heappush(self._acts, (time_s, next(self._order), act))

    def within_s(self, most_s: float) -> float:
        """Return how long the supervisor may wait until the next act is due, ``most_s`` at most."""
        if self._zero_s is None or not self._acts:
            return most_s
        return min(most_s, max(0.0, self._acts[0][0] - self.time_s))

    def carry_out(self) -> None:
        """Do all that is due, the earliest first."""
        while self._zero_s is not None and self._acts and self._acts[0][0] <= self.time_s:
            heapq.heappop(self._acts)[2]()
