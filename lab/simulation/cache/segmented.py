"""Segmented LRU: a newcomer must be used once more before it is protected."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from lab.simulation.request import Request


class SegmentedLru:
    """Two segments, each in the order of use; the entry that goes is the last of the probationary one.

    ::

        stored --> probationary --used--> protected --used--> protected, first again
                     |      ^                |
                     |      `----last, full--'
                     `--last, all full--> goes

    What falls out of the protected segment is probationary again, as its first. An entry that is used only once never
    displaces one that was used twice, so a scan leaves the protected segment as it is.

    Source: Karedla, Love and Wherry (1994), "Caching strategies to improve disk system performance", IEEE Computer 27.
    """

    def __init__(self, *, protected_room: float, size: Callable[[int], int]) -> None:
        self._protected_room = protected_room
        self._size = size
        self._probationary: OrderedDict[int, None] = OrderedDict()  # the next victim first
        self._protected: OrderedDict[int, None] = OrderedDict()  # the next to fall out first
        self._taken = 0  # of the protected room

    def used(self, request: Request) -> None:
        """It is protected now, and the first of its segment."""
        key = request.key
        if key in self._protected:
            self._protected.move_to_end(key)
            return
        size = self._size(key)
        if size > self._protected_room:  # it will never fit in there
            self._probationary.move_to_end(key)
            return
        del self._probationary[key]
        while self._taken + size > self._protected_room:
            last, _ = self._protected.popitem(last=False)
            self._taken -= self._size(last)
            self._probationary[last] = None
        self._protected[key] = None
        self._taken += size

    def stored(self, request: Request) -> None:
        """It is on probation."""
        self._probationary[request.key] = None

    def victim(self, request: Request, nth: int) -> int | None:
        """The last on probation; of the protected ones if there is none."""
        return next(iter(self._probationary), next(iter(self._protected), None))

    def gone(self, key: int) -> None:
        """Take it out of its segment."""
        if key in self._protected:
            del self._protected[key]
            self._taken -= self._size(key)
        else:
            del self._probationary[key]

    def clear(self) -> None:
        """Start over."""
        self._probationary.clear()
        self._protected.clear()
        self._taken = 0
