"""How users think who go offline and come back."""

from __future__ import annotations

from lab.simulation.clock import Clock
from lab.simulation.presence import Attendance


class Thinking:
    """How long users think, where they think only while they are online.

    ::

        thinks --has thought enough--> asks
          |  ^
          |  `-- comes back: asks `reconnect` first, and goes on thinking after its answer
          `-- goes offline: what is left of the thinking waits
    """

    def __init__(self, *, clock: Clock, attendance: Attendance, reconnect: str | None, population: int) -> None:
        self._clock = clock
        self._attendance = attendance
        self._reconnect = reconnect
        self._population = population
        self._left_s: dict[int, float] = {}  # by user: of the thinking that coming back interrupts

    def after(self, number: int, drawn_s: float) -> tuple[float, str | None]:
        """Return in how much time the user of a request goes on, and with which endpoint: None for one of the mix."""
        user, now_s = number % self._population, self._clock.now
        left_s, at_s = self._left_s.pop(user, drawn_s), now_s
        while True:
            online, until_s = self._attendance.at(user, at_s)
            if online and at_s + left_s <= until_s:
                return at_s + left_s - now_s, None
            if online:
                left_s, at_s = left_s - (until_s - at_s), until_s
                continue
            at_s = until_s
            if self._reconnect is not None:
                self._left_s[user] = left_s
                return at_s - now_s, self._reconnect
