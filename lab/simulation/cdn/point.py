"""One point of presence: what it holds, what it is fetching, and who waits for that."""

from __future__ import annotations

from enum import Enum

from lab.simulation.cache import Contents
from lab.simulation.clock import Clock, Handover, Order, Timer


class Turn(Enum):
    """What becomes of a request that waited, if it does not get an answer."""

    FETCHES = "fetches"  # the fetch failed, and this is the first of those who waited for it
    ALONE = "alone"  # it has waited too long


class Point:
    """The contents of one place, and the fetches that are under way from there.

    ::

        nobody --begin--> under way: others join --end(ok)------> all who wait are given its age
                             ^                   `--end(failed)--> the first who waits is to fetch, the others wait on
                             |                                        |
                             +----------------------------------------'  (nobody waits: over)

    Attributes:
        number: which place it is.
        contents: the answers that are there, by object.
    """

    def __init__(self, *, clock: Clock, number: int, contents: Contents, patience_s: float) -> None:
        self._clock = clock
        self._patience_s = patience_s
        self._waiting: dict[int, dict[Handover, None]] = {}  # by object, in the order in which they came
        self.number = number
        self.contents = contents

    def fetching(self, item: int) -> bool:
        """Return whether somebody fetches this object."""
        return item in self._waiting

    def begin(self, item: int) -> None:
        """Note that somebody does."""
        self._waiting.setdefault(item, {})

    def join(self, item: int) -> Handover:
        """Return what gives the age of the answer, or a :class:`Turn`, to one who waits for the fetch."""
        place, waiting = Handover(self._clock), self._waiting[item]
        waiting[place] = None

        def too_long(_: object) -> None:
            if waiting.pop(place, True) is None:
                place.give(Turn.ALONE)

        Timer(self._clock, self._patience_s, Order.EXPIRY, too_long)
        return place

    def end(self, item: int, age_s: float | None) -> None:
        """Note that a fetch is over, and tell who waits for it.

        Args:
            item: the object that was fetched.
            age_s: how old the answer is; None if there is none.
        """
        waiting = self._waiting[item]
        if age_s is None and waiting:
            first = next(iter(waiting))
            del waiting[first]
            first.give(Turn.FETCHES)
            return
        del self._waiting[item]
        for place in waiting:
            place.give(age_s)
        waiting.clear()
