"""Always to the same server for a key: two ways from the hash of a key to a server."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable

from lab.randomness import splitmix64
from lab.simulation.load_balancer.server import Server
from lab.simulation.request import Request

_HASHES = 2**32  # HAProxy's are 32 bits wide
_MOST_POINTS = 2**12  # of one server
_POINTS_FROM = 2**40  # beyond all keys, or a key would lie on a point of its own number


def hashed(number: int) -> int:
    """Return a 32-bit hash of a whole number; HAProxy hashes the text of the URI, which mixes as well.

    >>> hashed(0), hashed(1)
    (3793791033, 2433363436)
    """
    return splitmix64(number) >> 32


class HashMap:
    """HAProxy's ``uri`` with ``hash-type map-based``: the hash modulo the total weight, looked up in a table.

    When a server comes or goes the table is another, and nearly every key moves. A full server is returned all the
    same: the request waits for it. So is, after a refusal, the server that refused.

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
        return table[hashed(request.key) % len(table)] if table else None

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
        return self.at(hashed(request.key), avoid)

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
            (hashed(_POINTS_FROM + each.slot * _MOST_POINTS + point), each.slot, point)
            for each in usable
            for point in range(each.weight)
        ]
        ring.sort()
        self._points = [point for point, _, _ in ring]
        self._owners = [self._known[slot] for _, slot, _ in ring]
