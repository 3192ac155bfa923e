"""Who is turned away out of a backlog when a place becomes free: two kinds of controlled delay."""

from __future__ import annotations

import math

from lab.simulation.managed_line import ManagedLine, Waiter

_INSTANT_S = 1e-9
_RECENT = 16  # intervals after which a spell of shedding is forgotten


class CoDel:
    """Controlled delay as for packets: sheds at times that come closer and closer while the wait stays long.

    ::

        not shedding --the wait was >= target during one interval: shed one--> shedding
            ^                                                                    |  | at next_s: shed one,
            `--the wait is < target, or no more than one other waits-------------'  ' next_s += interval / sqrt(count)

    Shedding again soon after the last spell begins with the frequency that it ended with.

    Source: RFC 8289, section 5 (pseudocode), with the requests that wait for the bytes.
    """

    def __init__(self, *, target_s: float, interval_s: float) -> None:
        self._target_s = target_s
        self._interval_s = interval_s
        self._above_until_s: float | None = None  # if the wait stays long until then, it may be shed
        self._shedding = False
        self._next_s = 0.0
        self._count = 0
        self._last_count = 0

    def joined(self, waiter: Waiter, line: ManagedLine) -> None:
        """Judge by the wait when called, not by the queue when coming."""

    def call(self, line: ManagedLine) -> Waiter | None:
        """Take out the next, after those that are to be shed."""
        waiter, late = self._take(line)
        if self._shedding:
            self._shedding = late
            while self._shedding and waiter is not None and line.now_s >= self._next_s - _INSTANT_S:
                line.turn_away(waiter)
                self._count += 1
                waiter, self._shedding = self._take(line)
                if self._shedding:
                    self._next_s = self._after(self._next_s)
        elif late and waiter is not None:
            line.turn_away(waiter)
            waiter, _ = self._take(line)
            self._begin(line.now_s)
        return waiter

    def _begin(self, now_s: float) -> None:
        self._shedding = True
        shed_last_time = self._count - self._last_count
        recent = now_s - self._next_s < _RECENT * self._interval_s
        self._count = shed_last_time if shed_last_time > 1 and recent else 1
        self._last_count = self._count
        self._next_s = self._after(now_s)

    def _after(self, time_s: float) -> float:
        return time_s + self._interval_s / math.sqrt(self._count)

    def _take(self, line: ManagedLine) -> tuple[Waiter | None, bool]:
        """Return the next, and whether the wait has been long for an interval."""
        waiter = line.next()
        if waiter is None or line.now_s - waiter.since_s < self._target_s - _INSTANT_S or line.queued <= 1:
            self._above_until_s = None
            return waiter, False
        if self._above_until_s is None:
            self._above_until_s = line.now_s + self._interval_s
            return waiter, False
        return waiter, line.now_s >= self._above_until_s - _INSTANT_S


class ServerCoDel:
    """Controlled delay for servers: the patience of whoever comes hangs on when the backlog was last empty.

    Source: Maurer (2015), "Fail at scale", ACM Queue 13(8).
    """

    def __init__(self, *, target_s: float, interval_s: float) -> None:
        self._target_s = target_s
        self._interval_s = interval_s
        self._empty_s = 0.0  # when the backlog was last empty

    def joined(self, waiter: Waiter, line: ManagedLine) -> None:
        """Give it a patience: a short one if the queue is a standing one."""
        if line.queued == 0:
            self._empty_s = line.now_s
        standing = self._empty_s < line.now_s - self._interval_s - _INSTANT_S
        waiter.patience_s = self._target_s if standing else self._interval_s

    def call(self, line: ManagedLine) -> Waiter | None:
        """Take out the next whose patience has not run out, and turn away those before."""
        waiter = line.next()
        while waiter is not None and line.now_s - waiter.since_s > waiter.patience_s + _INSTANT_S:
            line.turn_away(waiter)
            waiter = line.next()
        return waiter
