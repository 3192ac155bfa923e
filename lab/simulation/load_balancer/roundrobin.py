"""In turn: the servers stand in a ring, and those that are full are passed over."""

from __future__ import annotations

from lab.simulation.load_balancer.server import Server
from lab.simulation.request import Request


class RoundRobin:
    """HAProxy's ``roundrobin`` while all weights are equal.

    Who may be chosen is kept as the bits of one whole number, the server of slot k as bit k, so that the next one at
    or after the pointer is found by arithmetic: for 1,000 servers these are 34 words.

    Source: HAProxy 2.8, src/lb_fwrr.c: with equal weights its tree is a ring, in which a full server is passed over and
    keeps its place. (When servers are full at the end of 16 rounds, HAProxy puts those in another order; here the ring
    stays as it is.)
    """

    def __init__(self) -> None:
        self._servers: list[Server] = []
        self._free = 0
        self._next = 0

    def choose(self, request: Request, avoid: Server | None = None) -> Server | None:
        """Return the next in the ring that has room."""
        free = self._free
        if avoid is not None:
            free = free & ~(1 << avoid.slot) or free
        if not free:
            return None
        ahead = free >> self._next
        slot = self._next if ahead else 0
        bits = ahead or free
        slot += (bits & -bits).bit_length() - 1
        self._next = slot + 1
        return self._servers[slot]

    def counted(self, server: Server) -> None:
        """Take it out of the ring while it is full."""
        if server.full or not server.usable:
            self._free &= ~(1 << server.slot)
        else:
            self._free |= 1 << server.slot

    def changed(self, server: Server) -> None:
        """Give a new server its place in the ring: the last."""
        if server.slot == len(self._servers):
            self._servers.append(server)
        self.counted(server)
