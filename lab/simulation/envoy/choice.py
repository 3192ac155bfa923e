"""How Envoy chooses a replica."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from typing import Protocol

from lab.randomness import Stream, splitmix64
from lab.simulation.envoy.host import Cluster, Host
from lab.simulation.request import Request

_POINTS_FROM = 2**40  # beyond all keys, or a key would lie on a point of its own number
_MOST_POINTS = 2**24  # of one host


class Choice(Protocol):
    """Chooses a replica for each request."""

    def choose(self, request: Request) -> Host | None:
        """Return a replica, or None where there is none to choose."""
        ...


class InTurn:
    """``ROUND_ROBIN`` with equal weights; in panic the turns are others, of all."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._turns = [0, 0]  # among the healthy, among all

    def choose(self, request: Request) -> Host | None:
        """Return whose turn it is."""
        hosts, panics = self._cluster.chosen_among, self._cluster.panics
        if not hosts:
            return None
        turn = self._turns[panics]
        self._turns[panics] = turn + 1
        return hosts[turn % len(hosts)]


class LeastRequest:
    """``LEAST_REQUEST`` with equal weights: so many drawn with replacement, the first of the least busy.

    Args:
        draws: how many are drawn; 1 is ``RANDOM``.
    """

    def __init__(self, cluster: Cluster, *, choices: Stream, draws: int) -> None:
        self._cluster = cluster
        self._choices = choices
        self._draws = draws

    def choose(self, request: Request) -> Host | None:
        """Return the drawn one with the fewest requests under way."""
        hosts = self._cluster.chosen_among
        if not hosts:
            return None
        best: Host | None = None
        for ordinal in range(self._draws):
            visit = request.visit * self._draws + ordinal
            host = hosts[int(self._choices.uniform(request.number, request.attempt, visit) * len(hosts))]
            if best is None or host.active < best.active:
                best = host
        return best


class RingHash:
    """``RING_HASH`` with equal weights, and its bound on what one replica has to do.

    A key belongs to the first point at or after its hash. The points are shared equally, rounded up, so that with one
    replica fewer each other one has more points, which take some keys over.

    With a ``hash_balance_factor`` F (percent), of all slots, F percent of the requests under way and this one, rounded
    up, each replica has its share, rounded up. The key's own replica is taken while it has no more under way than its
    slots; else the first such one in an order that the key's hash shuffles; else the one that exceeds them the least.

    Source: Envoy, ring_hash_lb.cc and thread_aware_lb_impl.cc (BoundedLoadHashingLoadBalancer).
    """

    def __init__(
        self, cluster: Cluster, *, ring_size: int, balance_factor: int | None, active: Callable[[], int]
    ) -> None:
        self._cluster = cluster
        self._ring_size = ring_size
        self._balance_factor = balance_factor
        self._active = active
        self._points: list[int] = []
        self._owners: list[Host] = []
        self._stale = True
        cluster.changed.append(self._outdate)

    def choose(self, request: Request) -> Host | None:
        """Return the replica of the request's key, or who stands in for it."""
        if self._stale:
            self._make()
        if not self._points:
            return None
        place = splitmix64(request.key)
        owner = self._owners[bisect_left(self._points, place) % len(self._points)]
        return owner if self._balance_factor is None else self._within_bounds(owner, place, self._balance_factor)

    def _within_bounds(self, owner: Host, place: int, factor: int) -> Host:
        hosts = list(self._cluster.chosen_among)
        slots = max(1, math.ceil(((self._active() + 1) * factor + 99) // 100 / len(hosts)))
        least = owner
        if owner.active <= slots:
            return owner
        for step in range(len(hosts)):
            other = step + splitmix64(place ^ step) % (len(hosts) - step)
            hosts[step], hosts[other] = hosts[other], hosts[step]
            if hosts[step] is owner:
                continue
            if hosts[step].active <= slots:
                return hosts[step]
            if hosts[step].active < least.active:
                least = hosts[step]
        return least

    def _outdate(self) -> None:
        self._stale = True

    def _make(self) -> None:
        self._stale = False
        hosts = self._cluster.chosen_among
        each = math.ceil(self._ring_size / len(hosts)) if hosts else 0
        ring = [
            (splitmix64(_POINTS_FROM + host.slot * _MOST_POINTS + point), place)
            for place, host in enumerate(hosts)
            for point in range(each)
        ]
        ring.sort()
        self._points = [point for point, _ in ring]
        self._owners = [hosts[place] for _, place in ring]
