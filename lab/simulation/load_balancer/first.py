"""To the first server with room, so that as few as possible are busy."""

from __future__ import annotations

from lab.simulation.load_balancer.server import Server
from lab.simulation.request import Request


class FirstFree:
    """HAProxy's ``first``: the lowest slot that has room; weights count for nothing, but 0.

    Who may be chosen is kept as the bits of one whole number, the server of slot k as bit k.

    Source: HAProxy 2.8, src/lb_fas.c.
    """

    def __init__(self) -> None:
        self._servers: list[Server] = []
        self._free = 0

    def choose(self, request: Request, avoid: Server | None = None) -> Server | None:
        """Return the lowest that has room."""
        free = self._free
        if avoid is not None:
            free = free & ~(1 << avoid.slot) or free
        return self._servers[(free & -free).bit_length() - 1] if free else None

    def counted(self, server: Server) -> None:
        """Leave it out while it is full."""
        if server.full or not server.usable:
            self._free &= ~(1 << server.slot)
        else:
            self._free |= 1 << server.slot

    def changed(self, server: Server) -> None:
        """Remember a new server."""
        if server.slot == len(self._servers):
            self._servers.append(server)
        self.counted(server)
