"""Which entry goes when a cache is full: policies that look at every entry. They keep the order, not the entries."""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from typing import Protocol

from lab.randomness import Stream, child_visit, name_key
from lab.simulation.cache.keys import Keys
from lab.simulation.request import Request

_DRAWS = name_key("eviction")  # so that the draws of one access lie far from those of the next


class Eviction(Protocol):
    """A policy: it is told of every use, and asked who goes."""

    def used(self, request: Request) -> None:
        """Note that the request's key, which is there, was read or written."""
        ...

    def stored(self, request: Request) -> None:
        """Note that the request's key is there now."""
        ...

    def victim(self, request: Request, nth: int) -> int | None:
        """Return the key that goes to make room for the request's; None if none may.

        Args:
            nth: how many have gone for this request already; it addresses the draws.
        """
        ...

    def gone(self, key: int) -> None:
        """Note that the key has left."""
        ...

    def clear(self) -> None:
        """Forget all keys that were there."""
        ...


def draw(stream: Stream, request: Request, nth: int, ordinal: int = 0) -> float:
    """Return the uniform number for an eviction: a function of the request that causes it and its place there."""
    visit = child_visit(request.visit, _DRAWS + (nth << 16) + ordinal)
    return stream.uniform(request.number, request.attempt, visit)


class NoEviction:
    """None goes: what is not to fit is refused (or everything fits)."""

    def used(self, request: Request) -> None:
        """Nothing hangs on it."""

    def stored(self, request: Request) -> None:
        """Nothing hangs on it."""

    def victim(self, request: Request, nth: int) -> int | None:
        """Nobody."""
        return None

    def gone(self, key: int) -> None:
        """Nothing hangs on it."""

    def clear(self) -> None:
        """There is nothing to forget."""


class Fifo:
    """The entry that was stored first goes; using it does not help it."""

    def __init__(self) -> None:
        self._order: OrderedDict[int, None] = OrderedDict()  # the next victim first

    def used(self, request: Request) -> None:
        """It keeps its place."""

    def stored(self, request: Request) -> None:
        """It stands last."""
        self._order[request.key] = None

    def victim(self, request: Request, nth: int) -> int | None:
        """The first."""
        return next(iter(self._order), None)

    def gone(self, key: int) -> None:
        """Take it out of the order."""
        del self._order[key]

    def clear(self) -> None:
        """Start over."""
        self._order.clear()


class Lru:
    """The entry that has not been used for longest goes."""

    def __init__(self) -> None:
        self._order: OrderedDict[int, None] = OrderedDict()  # the next victim first

    def used(self, request: Request) -> None:
        """It stands last."""
        self._order.move_to_end(request.key)

    def stored(self, request: Request) -> None:
        """It stands last."""
        self._order[request.key] = None

    def victim(self, request: Request, nth: int) -> int | None:
        """The first."""
        return next(iter(self._order), None)

    def gone(self, key: int) -> None:
        """Take it out of the order."""
        del self._order[key]

    def clear(self) -> None:
        """Start over."""
        self._order.clear()


class Lfu:
    """The entry that was used least often goes; of equals the one stored first.

    Uses are counted for ever, also those of an entry's earlier stays: perfect LFU. The new entry is always stored,
    so one place holds what was missed last.
    """

    def __init__(self) -> None:
        self._uses: Counter[int] = Counter()
        self._stays: dict[int, int] = {}  # key there -> number of its stay
        self._stay = 0
        self._heap: list[tuple[int, int, int]] = []  # uses when last looked at (they only grow), stay, key

    def used(self, request: Request) -> None:
        """Count it."""
        self._uses[request.key] += 1

    def stored(self, request: Request) -> None:
        """Count it: a miss led to it."""
        key = request.key
        self._uses[key] += 1
        self._stays[key] = self._stay
        heapq.heappush(self._heap, (self._uses[key], self._stay, key))
        self._stay += 1

    def victim(self, request: Request, nth: int) -> int | None:
        """The least used of those that are there."""
        while self._heap:
            uses, stay, key = self._heap[0]
            if self._stays.get(key) != stay:
                heapq.heappop(self._heap)  # it left long ago
            elif uses < self._uses[key]:
                heapq.heapreplace(self._heap, (self._uses[key], stay, key))
            else:
                return key
        return None

    def gone(self, key: int) -> None:
        """Its place in the heap is dropped when it comes up."""
        del self._stays[key]

    def clear(self) -> None:
        """Start over, counts too."""
        self._uses.clear()
        self._stays.clear()
        self._heap.clear()


class AnyEntry:
    """Any entry goes, each as likely as the other."""

    def __init__(self, *, draws: Stream) -> None:
        self._draws = draws
        self._keys = Keys()

    def used(self, request: Request) -> None:
        """It does not help it."""

    def stored(self, request: Request) -> None:
        """It may go like any other."""
        self._keys.add(request.key)

    def victim(self, request: Request, nth: int) -> int | None:
        """One drawn at random."""
        return self._keys.at(draw(self._draws, request, nth)) if len(self._keys) else None

    def gone(self, key: int) -> None:
        """It can no longer be drawn."""
        self._keys.remove(key)

    def clear(self) -> None:
        """Start over."""
        self._keys.clear()
