"""A line whose backlog is thinned out: whoever is called may be turned away instead, and the places may change."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator
from typing import Protocol

from simpy.events import Event

from lab.simulation.clock import Clock, Handover
from lab.simulation.line import WaitingRoom


class Waiter(Handover):
    """Somebody in the backlog.

    Attributes:
        since_s: when it came.
        patience_s: how long it may wait before it is turned away when called.
    """

    since_s = 0.0
    patience_s = math.inf


class Calling(Protocol):
    """Who of the backlog is given a place that is free; whom to turn away on the way."""

    def joined(self, waiter: Waiter, line: ManagedLine) -> None:
        """Take note of somebody who is about to wait, and of how many wait already."""
        ...

    def call(self, line: ManagedLine) -> Waiter | None:
        """Take whoever is next out of the line, turning away others; None if nobody is left."""
        ...


class InTurn:
    """Calls the next, and turns nobody away."""

    def joined(self, waiter: Waiter, line: ManagedLine) -> None:
        """Let it wait for as long as it takes."""

    def call(self, line: ManagedLine) -> Waiter | None:
        """Take the next."""
        return line.next()


class ManagedLine:
    """Places and a backlog like those of :class:`~lab.simulation.line.Line`, with somebody who calls.

    ::

        comes --> a place free? --yes--> has it
                      | no
                  waits --called--> has it
                      `--shed-----> turned away

    Attributes:
        now_s: the time.
        queued: how many wait.
        taken: how many have a place.
    """

    def __init__(self, *, clock: Clock, places: int, room: WaitingRoom | None, calling: Calling) -> None:
        self._clock = clock
        self._places = places
        self._waiting: WaitingRoom = deque() if room is None else room
        self._calling = calling
        self.queued = 0
        self.taken = 0

    @property
    def now_s(self) -> float:
        """The time."""
        return self._clock.now

    @property
    def full(self) -> bool:
        """Whether whoever comes now must wait."""
        return self.taken >= self._places

    def enter(self, patience_s: float | None = None, urgency: int = 0) -> Generator[Event, object, bool]:
        """Take a place, waiting for one if need be; return False if it was turned away."""
        if not self.full:
            self.taken += 1
            return True
        waiter = Waiter(self._clock)
        waiter.urgency = urgency
        waiter.since_s = self._clock.now
        if patience_s is not None:
            waiter.patience_s = patience_s
        self._calling.joined(waiter, self)
        self._waiting.append(waiter)
        self.queued += 1
        return bool((yield waiter))

    def leave(self) -> None:
        """Give the place back, to whoever is called."""
        self.taken -= 1
        self._call()

    def resize(self, places: int) -> None:
        """Have this many places from now on; who has one keeps it."""
        self._places = places
        self._call()

    def next(self) -> Waiter | None:
        """Take the next out of the backlog; None if nobody waits."""
        if not self.queued:
            return None
        self.queued -= 1
        waiter = self._waiting.popleft()
        assert isinstance(waiter, Waiter)  # nobody else was put there
        return waiter

    def turn_away(self, waiter: Waiter) -> None:
        """Send somebody who was taken out of the backlog away."""
        waiter.give(False)

    def _call(self) -> None:
        while not self.full:
            waiter = self._calling.call(self)
            if waiter is None:
                return
            self.taken += 1
            waiter.give(True)
