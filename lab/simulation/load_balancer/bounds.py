"""Consistent hashing with bounded loads: a server that has more than its share to do is passed over."""

from __future__ import annotations

from lab.randomness import Stream, child_visit
from lab.simulation.load_balancer.hashed import HashRing, key_on_ring
from lab.simulation.load_balancer.server import Server
from lab.simulation.request import Request

_PLACES = 2**32  # on the ring


def slots(weight: int, *, before: int, total: int, under_way: int, factor_percent: int) -> int:
    """Return how many requests a server may have under way before it is passed over, with the next one counted in.

    Of all slots, the factor times the requests under way and the next one, rounded up, each server has its share by
    weight; what does not divide goes to them in order. Nobody has less than one.

    Args:
        weight: of the server; ``before``: of those before it together; ``total``: of all.
        under_way: requests under way at all servers together.
        factor_percent: above 100.

    Source: HAProxy 2.8, src/lb_chash.c (chash_server_is_eligible).

    >>> [slots(16, before=16 * place, total=48, under_way=2, factor_percent=150) for place in range(3)]  # 5 in all
    [1, 2, 2]
    """
    every = ((under_way + 1) * factor_percent + 99) // 100
    whole, rest = divmod(every, total)
    share = weight * whole + (before + weight) * rest // total - before * rest // total
    return max(1, share)


class BoundedRing:
    """A :class:`~lab.simulation.load_balancer.hashed.HashRing` under HAProxy's ``hash-balance-factor``.

    From the nearest point on, the first server along the ring that has fewer requests under way than its slots is
    taken. A server that is full all the same is returned: the request waits for it.
    """

    def __init__(self, factor_percent: int) -> None:
        self._factor_percent = factor_percent
        self._ring = HashRing()
        self._under_way = 0
        self._counts: dict[Server, int] = {}
        self._before: dict[Server, int] | None = None  # the weights before each server that may be chosen
        self._total = 0

    def choose(self, request: Request, avoid: Server | None = None) -> Server | None:
        """Return the server nearest to the hash of the request's key that has a slot."""
        return self.at(key_on_ring(request.key), avoid)

    def at(self, place: int, avoid: Server | None = None) -> Server | None:
        """Return the server nearest to a place on the ring that has a slot."""
        if self._before is None:
            self._weigh()
        return self._ring.first_from(place, lambda server: server is not avoid and self._has_a_slot(server))

    def counted(self, server: Server) -> None:
        """Count what is under way at all servers."""
        self._under_way += server.served - self._counts.get(server, 0)
        self._counts[server] = server.served

    def changed(self, server: Server) -> None:
        """Have the ring and the shares made anew."""
        self._counts.setdefault(server, 0)
        self._ring.changed(server)
        self._before = None

    def _weigh(self) -> None:
        self._before, self._total = {}, 0
        for server in sorted(self._counts, key=lambda each: each.slot):
            if server.usable:
                self._before[server] = self._total
                self._total += server.weight

    def _has_a_slot(self, server: Server) -> bool:
        assert self._before is not None  # whoever asks has made it
        allowed = slots(
            server.weight,
            before=self._before[server],
            total=self._total,
            under_way=self._under_way,
            factor_percent=self._factor_percent,
        )
        return server.served < allowed


class DrawnFromRing:
    """HAProxy's ``random(draws)`` under a ``hash-balance-factor``: places on the ring are drawn, not servers.

    As :class:`~lab.simulation.load_balancer.drawn.Drawn`, but that each draw walks on to a server with a slot, and
    that the uneven arcs of the ring decide how often each is drawn.
    """

    def __init__(self, *, choices: Stream, draws: int, factor_percent: int) -> None:
        self._choices = choices
        self._draws = draws
        self._ring = BoundedRing(factor_percent)
        self.counted = self._ring.counted
        self.changed = self._ring.changed

    def choose(self, request: Request, avoid: Server | None = None) -> Server | None:
        """Return the least busy of the drawn servers, or None if it is full."""
        chosen: Server | None = None
        for ordinal in range(self._draws):
            visit = request.visit * self._draws + ordinal
            if avoid is not None:  # chosen anew for the same request: a draw of its own
                visit = child_visit(visit, avoid.slot + 1)
            place = int(self._choices.uniform(request.number, request.attempt, visit) * _PLACES)
            drawn = self._ring.at(place, avoid)
            if drawn is None:
                return None
            if chosen is None or drawn.served * chosen.weight <= chosen.served * drawn.weight:
                chosen = drawn
        return None if chosen is None or chosen.full else chosen
