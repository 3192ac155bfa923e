"""Which node of a cache a key belongs to: two ways from the hash of a key to a node."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Collection
from typing import Protocol

_HASHES_A_NODE = 40
_POINTS_A_HASH = 4  # an MD5 gives four numbers of 32 bits


class Placing(Protocol):
    """A way of choosing; it is the callers' own, so it costs no time and no request."""

    def node(self, key: int, up: Collection[int]) -> int:
        """Return the node of a key among those that are in use.

        Args:
            key: which key.
            up: numbers of the nodes in use, ascending; at least one.
        """
        ...


def hashed(text: str, part: int = 0) -> int:
    """Return one of the four 32-bit numbers in the MD5 of a text, as libketama takes them.

    >>> hashed("0"), hashed("0", 3)
    (2216742351, 3664021497)
    """
    digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[4 * part : 4 * part + 4], "little")


class Ketama:
    """The node of the next of many points on a ring: 160 points a node, so that shares differ by some 8 %.

    When a node leaves, its keys go to the nodes of the points that follow its own, and no other key moves.

    Source: libketama (ketama_create_continuum, ketama_get_server); the same in libmemcached and twemproxy.
    """

    def __init__(self, nodes: int) -> None:
        ring = sorted(
            (hashed(f"node{node}-{number}", part), node)
            for node in range(nodes)
            for number in range(_HASHES_A_NODE)
            for part in range(_POINTS_A_HASH)
        )
        self._points = [point for point, _ in ring]
        self._owners = [owner for _, owner in ring]

    def node(self, key: int, up: Collection[int]) -> int:
        """Return the node of the first point from the key's hash on whose node is in use."""
        owners, place = self._owners, bisect_left(self._points, hashed(str(key)))
        while owners[place % len(owners)] not in up:
            place += 1
        return owners[place % len(owners)]


class Modulo:
    """The hash modulo the number of nodes in use: when that changes, nearly every key moves.

    Source: twemproxy's distribution ``modula``.
    """

    def node(self, key: int, up: Collection[int]) -> int:
        """Return the node with that number among those in use."""
        return sorted(up)[hashed(str(key)) % len(up)]
