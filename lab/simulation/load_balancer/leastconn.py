"""To the server with the fewest requests under way."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from lab.simulation.load_balancer.server import Server
from lab.simulation.request import Request

_MOST_WEIGHT = 256 * 16  # HAProxy's greatest effective weight
_STALE_ENTRIES = 64


class LeastConnections:
    """HAProxy's ``leastconn``: the lowest key wins, and among equal keys who has held it longest.

    The key is 0 for an idle server, whatever its weight, and else (under way and queued there + 1) x 4096 / effective
    weight, rounded down. A server takes part while less than its limit plus ``max_queue`` is under way and queued.

    A heap holds one valid entry for each server that takes part, and older ones that are passed over when they come
    to the top, so that a choice takes O(log n) steps.

    Source: HAProxy 2.8, src/lb_fwlc.c.
    """

    def __init__(self, max_queue: int | None = None) -> None:
        self._max_queue = max_queue or 0
        self._heap: list[tuple[int, int, Server]] = []
        self._entries = 0
        self._servers = 0

    def choose(self, request: Request, avoid: Server | None = None) -> Server | None:
        """Return the server with the lowest key."""
        heap = self._heap
        while heap:
            top = heap[0]
            server = top[2]
            if server.entry != top[1]:
                heappop(heap)
            elif server is avoid:
                heappop(heap)
                other = self.choose(request)
                heappush(heap, top)
                return other or server
            else:
                return server
        return None

    def counted(self, server: Server) -> None:
        """Put the server behind its equals, as each change of its count does in HAProxy's tree."""
        self._entries = entry = self._entries + 1
        server.entry = entry
        under_way = server.served + server.queued
        if server.usable and under_way < server.limit + self._max_queue:
            key = (under_way + 1) * _MOST_WEIGHT // server.weight if under_way else 0
            heappush(self._heap, (key, entry, server))
            if len(self._heap) > _STALE_ENTRIES + 4 * self._servers:
                self._tidy()

    def changed(self, server: Server) -> None:
        """Count it in, out or anew."""
        self._servers = max(self._servers, server.slot + 1)
        self.counted(server)

    def _tidy(self) -> None:
        """Drop the entries that no longer hold."""
        self._heap = [each for each in self._heap if each[2].entry == each[1]]
        heapify(self._heap)
