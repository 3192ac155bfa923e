"""Who is online when: an alternating process of each user or recipient, addressed by its number."""

from __future__ import annotations

from lab.distributions import quantile_function
from lab.randomness import Stream
from lab.scenario.presence import OnOff


class Attendance:
    """Tells who is online.

    ::

        online --a stretch drawn from `online`--> offline --a stretch drawn from `offline`--> online ...

    The k-th stretch of whoever has the number n is drawn at the address (n, visit k), so nobody's coming and going
    hangs on who asks, or when; draw 0 says whether the first one is online.
    """

    def __init__(self, *, spec: OnOff, stream: Stream) -> None:
        self._share = spec.online_share
        self._stream = stream
        self._length_s = {True: quantile_function(spec.online), False: quantile_function(spec.offline)}
        self._now: dict[int, tuple[int, bool, float]] = {}  # by number: which stretch, online?, until when

    def at(self, number: int, now_s: float) -> tuple[bool, float]:
        """Return whether somebody is online at a time that is not before any asked for earlier, and until when."""
        if number in self._now:
            stretch, online, until_s = self._now[number]
        else:
            stretch, online, until_s = 0, self._stream.uniform(number) >= self._share, 0.0
        while until_s <= now_s:
            stretch, online = stretch + 1, not online
            until_s += self._length_s[online](self._stream.uniform(number, 0, stretch))
        self._now[number] = stretch, online, until_s
        return online, until_s
