"""Chance in a replica: a stream of numbers that its name decides, so that a run can be repeated."""

from __future__ import annotations

from hashlib import blake2b
from itertools import count


class Draws:
    """Uniform numbers in (0, 1), one after the other; streams of different names are independent.

    >>> Draws("items/0").uniform() == Draws("items/0").uniform()
    True
    """

    def __init__(self, name: str) -> None:
        self._name = name.encode()
        self._numbers = count()

    def uniform(self) -> float:
        """Return the next number."""
        digest = blake2b(self._name + next(self._numbers).to_bytes(8, "little"), digest_size=8).digest()
        return ((int.from_bytes(digest, "little") >> 12) + 0.5) / 2.0**52
