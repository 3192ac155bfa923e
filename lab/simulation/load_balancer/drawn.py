"""By lot: some servers are drawn, and the least busy of them is taken."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from lab.randomness import Stream, child_visit
from lab.simulation.load_balancer.server import Server
from lab.simulation.request import Request


class Drawn:
    """HAProxy's ``random(draws)``: that many draws with replacement, each by weight; the least busy of the drawn wins.

    Two drawn servers are compared by requests under way times the weight of the other; the later draw wins a tie. If
    the winner is full, or has a queue, the request waits for any server, even when others have room.

    HAProxy draws a point on the ring of its consistent hash, on which equal servers have unequal arcs (the more unequal
    the smaller their weights are); here the draws are exactly by weight.

    Source: HAProxy 2.8, src/backend.c, get_server_rnd.
    """

    def __init__(self, *, choices: Stream, draws: int) -> None:
        self._choices = choices
        self._draws = draws
        self._known: dict[int, Server] = {}
        self._servers: list[Server] = []  # those that may be drawn
        self._weights: list[int] = []  # their cumulative weights
        self._stale = False

    def choose(self, request: Request, avoid: Server | None = None) -> Server | None:
        """Return the least busy of the drawn servers, or None if it is full."""
        if self._stale:
            self._settle()
        if not self._servers:
            return None
        chosen = self._draw(request, 0, avoid)
        for ordinal in range(1, self._draws):
            drawn = self._draw(request, ordinal, avoid)
            if drawn.served * chosen.weight <= chosen.served * drawn.weight:
                chosen = drawn
        return None if chosen.full else chosen

    def counted(self, server: Server) -> None:
        """Look at the numbers only when a server is drawn."""

    def changed(self, server: Server) -> None:
        """Let it take part in the draws or not, from the next on."""
        self._known[server.slot] = server
        self._stale = True

    def _settle(self) -> None:
        self._stale = False
        self._servers = [self._known[slot] for slot in sorted(self._known) if self._known[slot].usable]
        self._weights = list(accumulate(each.weight for each in self._servers))

    def _draw(self, request: Request, ordinal: int, avoid: Server | None) -> Server:
        servers, weights = self._servers, self._weights
        visit = request.visit * self._draws + ordinal
        if avoid is not None:  # chosen anew for the same request: a draw of its own
            visit = child_visit(visit, avoid.slot + 1)
        uniform = self._choices.uniform(request.number, request.attempt, visit)
        # A float below 1 times a whole number may round up to it, where there are very many servers.
        place = min(bisect_right(weights, uniform * weights[-1]), len(servers) - 1)
        if servers[place] is avoid:
            place = (place + 1) % len(servers)  # the next on the ring
        return servers[place]
