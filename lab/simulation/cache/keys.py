"""The keys that are in a cache, so that some can be drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Iterator


class Keys:
    """A set with places: adding, removing and drawing take constant time, and the order hangs on nothing but these."""

    def __init__(self) -> None:
        self._keys: list[int] = []
        self._place: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: int) -> bool:
        return key in self._place

    def add(self, key: int) -> None:
        """Put it last."""
        self._place[key] = len(self._keys)
        self._keys.append(key)

    def remove(self, key: int) -> None:
        """Take it out; the last one takes its place."""
        place, last = self._place.pop(key), self._keys.pop()
        if last != key:
            self._keys[place] = last
            self._place[last] = place

    def clear(self) -> None:
        """Take all out."""
        self._keys.clear()
        self._place.clear()

    def at(self, uniform: float) -> int:
        """Return the key at a share of the way, 0 to 1; there must be one."""
        return self._keys[int(uniform * len(self._keys))]

    def some(self, count: int, uniform: Callable[[int], float]) -> Iterator[int]:
        """Yield ``count`` different keys (all, if there are no more), each set of them as likely as any other.

        Args:
            count: how many.
            uniform: gives the k-th uniform number in (0, 1).

        Source: Floyd's algorithm; Bentley and Floyd (1987), "A sample of brilliance", CACM 30.

        >>> keys = Keys()
        >>> for key in (7, 8, 9):
        ...     keys.add(key)
        >>> list(keys.some(2, lambda ordinal: 0.5))
        [8, 9]
        """
        first, chosen = max(len(self._keys) - count, 0), set[int]()
        for ordinal, last in enumerate(range(first, len(self._keys))):
            place = int(uniform(ordinal) * (last + 1))
            place = last if place in chosen else place
            chosen.add(place)
            yield self._keys[place]
