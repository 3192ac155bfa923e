"""A number of places and one line before them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator
from typing import Protocol

from simpy.events import Event

from lab.simulation.clock import Clock, Handover, Order, Timer


class WaitingRoom(Protocol):
    """Who waits; it decides who is called next (see lab.simulation.discipline)."""

    def __len__(self) -> int: ...

    def append(self, place: Handover, /) -> None:
        """Let somebody wait."""
        ...

    def popleft(self) -> Handover:
        """Call the next."""
        ...


class Slots(Protocol):
    """Places that are taken and given back, with a backlog before them."""

    @property
    def full(self) -> bool:
        """Whether whoever comes now must wait."""
        ...

    @property
    def queued(self) -> int:
        """How many wait."""
        ...

    def enter(self, patience_s: float | None = None, urgency: int = 0) -> Generator[Event, object, bool]:
        """Take a place, waiting for one if need be; return False if it was not given."""
        ...

    def leave(self) -> None:
        """Give a place back."""
        ...


class Line:
    """Places (slots, connections, the event loop) that are taken, held and given back.

    A freed place goes to the next in the waiting room at that very time: nobody can slip in between. Without a room
    of another discipline that is whoever has waited longest.
    """

    __slots__ = ("_clock", "_free", "_waiting", "queued")

    def __init__(self, clock: Clock, places: int | None, room: WaitingRoom | None = None) -> None:
        self._clock = clock
        self._free: float = math.inf if places is None else places
        self._waiting: WaitingRoom = deque() if room is None else room
        self.queued = 0

    @property
    def full(self) -> bool:
        """Whether whoever comes now must wait."""
        return self._free <= 0

    def enter(self, patience_s: float | None = None, urgency: int = 0) -> Generator[Event, object, bool]:
        """Take a place, waiting for one if need be; return False if ``patience_s`` ran out first."""
        if self._free > 0:
            self._free -= 1
            return True
        place = Handover(self._clock)
        place.urgency = urgency
        self._waiting.append(place)
        self.queued += 1
        if patience_s is not None:
            Timer(self._clock, patience_s, Order.EXPIRY, lambda _: self._give_up(place))
        return bool((yield place))

    def leave(self) -> None:
        """Give the place back, to the next in line if there is one."""
        waiting = self._waiting
        while waiting:
            place = waiting.popleft()
            if not place.triggered:
                self.queued -= 1
                place.give(True)
                return
        self._free += 1

    def seize(self) -> Handover:
        """Take a place as soon as one is free, before everybody who waits; give it back by ``give_back``."""
        place = Handover(self._clock)
        if self._free > 0:
            self._free -= 1
            place.give(True)
        else:
            assert isinstance(self._waiting, deque)  # only lines without another discipline are seized
            self._waiting.appendleft(place)
            self.queued += 1
        return place

    def give_back(self, place: Handover) -> None:
        """Give a seized place back, or want it no more."""
        if place.triggered:
            self.leave()
        else:
            self._give_up(place)

    def _give_up(self, place: Handover) -> None:
        if not place.triggered:
            self.queued -= 1
            place.give(False)
