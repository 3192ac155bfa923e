"""Always to the same server for a key: two ways from the hash of a key to a server."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable

from lab.simulation.load_balancer.server import Server
from lab.simulation.request import Request

_HASHES = 2**32  # HAProxy's are 32 bits wide
_MOST_POINTS = 2**12  # of one server
_LAST = _HASHES - 1


def sdbm(text: str) -> int:
    """Return HAProxy's usual hash of a text, which spreads short ones unevenly.

    Source: HAProxy 2.8, src/hash.c (hash_sdbm).

    >>> sdbm("1"), sdbm("12"), sdbm("4711")
    (49, 3214401, 2393425859)
    """
    value = 0
    for byte in text.encode():
        value = (byte + (value << 6) + (value << 16) - value) & _LAST
    return value


def full_hash(value: int) -> int:
    """Return a 32-bit number mixed so that each of its bits depends on all: the modifier ``avalanche``.

    Source: HAProxy 2.8, include/haproxy/tools.h (__full_hash), after Bob Jenkins.

    >>> full_hash(4097), full_hash(4098)
    (2761370759, 3040967754)
    """
    value = (value + 0x7ED55D16 + (value << 12)) & _LAST
    value = (value ^ 0xC761C23C) ^ (value >> 19)
    value = (value + 0x165667B1 + (value << 5)) & _LAST
    value = ((value + 0xD3A2646C) ^ (value << 9)) & _LAST
    value = (value + 0xFD7046C5 + (value << 3)) & _LAST
    value = (value ^ 0xB55A4F09) ^ (value >> 16)
    return (value * 3221225473) & _LAST


def key_on_ring(key: int) -> int:
    """Return where a key lies on the ring of a consistent hash, which mixes the usual hash first."""
    return full_hash(sdbm(str(key)))


class HashMap:
    """HAProxy's ``uri`` with ``hash-type map-based``: the hash modulo the total weight, looked up in a table.

    When a server comes or goes the table is another, and nearly every key moves. A full server is returned all the
    same: the request waits for it. So is, after a refusal, the server that refused.

    The hash is of the key as text, as ``balance url_param`` has it, without mixing: which server gets the popular keys
    is as in HAProxy.

    Source: HAProxy 2.8, src/lb_map.c.
    """

    def __init__(self) -> None:
        self._known: dict[int, Server] = {}
        self._table: list[Server] = []
        self._stale = False

    def choose(self, request: Request, avoid: Server | None = None) -> Server | None:
        """Return the server of the request's key."""
        if self._stale:
            self._make()
        table = self._table
        return table[sdbm(str(request.key)) % len(table)] if table else None

    def counted(self, server: Server) -> None:
        """Choose by key alone, whatever the numbers are."""

    def changed(self, server: Server) -> None:
        """Make the table anew when it is looked up the next time."""
        self._known[server.slot] = server
        self._stale = True

    def _make(self) -> None:
        self._stale = False
        usable = [self._known[slot] for slot in sorted(self._known) if self._known[slot].usable]
        common = math.gcd(*(each.full_weight for each in usable))
        self._table = _interleaved([(each, each.full_weight // common) for each in usable])


def _interleaved(weighted: list[tuple[Server, int]]) -> list[Server]:
    """Return the table: each server as often as it weighs, spread evenly, the first server first."""
    total = sum(weight for _, weight in weighted)
    if total == len(weighted):
        return [server for server, _ in weighted]
    scores = [0] * len(weighted)
    table = []
    for _ in range(total):
        for place, (_, weight) in enumerate(weighted):
            scores[place] += weight
        best = max(range(len(weighted)), key=lambda place: ((scores[place] + total) // total, -place))
        scores[best] -= total
        table.append(weighted[best][0])
    return table


class HashRing:
    """HAProxy's ``uri`` with ``hash-type consistent``: the server of the nearest of many points on a ring.

    Each server has 16 points for each unit of its weight, at the hashes of its slot and their number; a key belongs to
    the nearest point on either side. When a server goes, only its keys move. The arcs, and so the shares, are uneven:
    by 1 / sqrt(32 x weight), 18 % at weight 1 and 2 % at weight 100. A full server is returned all the same: the
    request waits for it. After a refusal the next other server along the ring is taken.

    Source: HAProxy 2.8, src/lb_chash.c.
    """

    def __init__(self) -> None:
        self._known: dict[int, Server] = {}
        self._points: list[int] = []
        self._owners: list[Server] = []
        self._stale = False

    def choose(self, request: Request, avoid: Server | None = None) -> Server | None:
        """Return the server of the point nearest to the hash of the request's key."""
        return self.at(key_on_ring(request.key), avoid)

    def at(self, place: int, avoid: Server | None = None) -> Server | None:
        """Return the server of the point nearest to a place on the ring, from 0 to 2^32 - 1; of two the one before."""
        return self.first_from(place, lambda server: server is not avoid)

    def first_from(self, place: int, suits: Callable[[Server], bool]) -> Server | None:
        """Return the first server that suits from the point nearest to a place on; if none does, that of the last."""
        if self._stale:
            self._make()
        points, owners = self._points, self._owners
        if not points:
            return None
        after = bisect_left(points, place) % len(points)
        before = after - 1  # -1 is the last: it is a ring
        nearest = before if (place - points[before]) % _HASHES <= (points[after] - place) % _HASHES else after
        for step in range(len(points)):
            owner = owners[(nearest + step) % len(points)]
            if suits(owner):
                return owner
        return owners[-1]

    def counted(self, server: Server) -> None:
        """Choose by key alone, whatever the numbers are."""

    def changed(self, server: Server) -> None:
        """Put its points on the ring or take them off, when it is looked at the next time."""
        self._known[server.slot] = server
        self._stale = True

    def _make(self) -> None:
        self._stale = False
        usable = [each for each in self._known.values() if each.usable]
        ring = [
            (full_hash((each.slot + 1) * _MOST_POINTS + point), each.slot, point)
            for each in usable
            for point in range(each.weight)
        ]
        ring.sort()
        self._points = [point for point, _, _ in ring]
        self._owners = [self._known[slot] for _, slot, _ in ring]
