"""What a balancer knows of one server: what it has sent there, what waits for it, and whether it may be chosen."""

from __future__ import annotations

import math
from collections import deque

from lab.simulation.clock import Clock, Handover
from lab.simulation.fleet import Member

WEIGHT_SCALE = 16  # HAProxy counts weights in sixteenths, so that a slow start has steps


class Server:
    """One line ``server ...`` of HAProxy's configuration: an address, where one process after another may run.

    Attributes:
        slot: its number among all servers that the balancer ever had, in the order of their coming.
        member: the process at the address.
        full_weight: the configured weight, in sixteenths.
        weight: the one in effect, less than that during a slow start.
        full_limit: the configured limit of requests under way at once; infinity where there is none.
        limit: the one in effect.
        served: requests sent there and not seen to end.
        queue: who waits for this very server; some may have gone meanwhile.
        queued: how many of them still wait.
        up: what the health checks say; at first, that it is.
        draining: it takes nothing new and goes when its work is done.
        usable: whether new requests may be sent there.
        warm_since_s: when its slow start began, or None if it is not in one.
        entry: which of the entries in an algorithm's own order is the valid one.
    """

    __slots__ = (
        "draining",
        "entry",
        "full_limit",
        "full_weight",
        "limit",
        "member",
        "queue",
        "queued",
        "served",
        "slot",
        "up",
        "usable",
        "warm_since_s",
        "weight",
    )

    def __init__(self, member: Member, *, slot: int, weight: int = 1, limit: int | None = None) -> None:
        self.slot = slot
        self.member = member
        self.full_weight = self.weight = weight * WEIGHT_SCALE
        self.full_limit: float = math.inf if limit is None else limit
        self.limit = self.full_limit
        self.served = 0
        self.queue: deque[Place] = deque()
        self.queued = 0
        self.up = True
        self.draining = False
        self.usable = weight > 0
        self.warm_since_s: float | None = None
        self.entry = 0

    @property
    def full(self) -> bool:
        """Whether whoever is sent there must wait."""
        return self.served >= self.limit or self.queued > 0

    def settle(self) -> None:
        """Work out anew whether it may be chosen."""
        self.usable = self.up and not self.draining and self.weight > 0


class Place(Handover):
    """A place in a queue: of one server, or (``server`` is None) of all together.

    Who waits is given a server; or None when the wait ran out, LEFT when the client has, AGAIN to choose anew.
    """

    def __init__(self, clock: Clock, server: Server | None) -> None:
        super().__init__(clock)
        self.since_s = clock.now
        self.server = server


AGAIN = object()
LEFT = object()
