"""Connections to the replicas, one pool each, and the circuit breakers over all of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from lab.simulation.clock import Clock, Handover
from lab.simulation.envoy.host import Host

_MOST_AT_ONCE = 3  # connections opened for one cause


class Turn(Enum):
    """What somebody learns who waited for a connection."""

    READY = auto()  # the request is under way on one
    OVERFLOW = auto()  # too many are under way
    REFUSED = auto()  # the replica accepts no connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The thresholds of the circuit breakers: over all replicas together."""

    connections: int
    pending: int
    requests: int


class Pools:
    """Gives each request a connection of its own (HTTP/1.1), of the pool of the replica that was chosen for it.

    ::

        an idle connection of the replica? --yes--> too many requests? --yes--> overflow
           | no                                        `--no--> under way
           | too many pending? --yes--> overflow
           v
        pending --a connection may be opened (or the replica has none)--> opened --refused--> all its pending fail
           |                                                                `--accepted--> the oldest pending has it
           `--one of the replica is free again-------------------------------------------> the oldest pending has it

    A free connection stays open. One on which a request was cut short is closed, and another is opened if somebody
    waits for it. Who waits for another replica learns nothing of that.

    Source: Envoy, source/common/conn_pool/conn_pool_base.cc.

    Attributes:
        active: requests under way.
        pending: requests that wait for a connection.
        connections: open ones.
    """

    def __init__(self, *, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self.active = self.pending = self.connections = 0

    def take(self, host: Host) -> Turn | Handover:
        """Put a request under way, or return where it learns what becomes of it."""
        if host.idle:
            host.idle -= 1
            if self.active >= self._limits.requests:
                host.idle += 1
                return Turn.OVERFLOW
            self._begin(host)
            return Turn.READY
        if self.pending >= self._limits.pending:
            return Turn.OVERFLOW
        if not host.pending and self._may_open(host) and host.member.listens:
            return self._open(host)
        place = Handover(self._clock)
        host.pending.append(place)
        self.pending += 1
        self._open_more(host)
        return place

    def leave(self, place: Handover, why: object) -> None:
        """Have somebody who still waits wait no longer."""
        if not place.triggered:
            self.pending -= 1
            place.give(why)

    def release(self, host: Host, *, closes: bool) -> None:
        """Count one less under way; its connection is closed, or for the oldest who waits for this replica."""
        host.active -= 1
        self.active -= 1
        if closes:
            self.connections -= 1
            self._open_more(host)
        else:
            host.idle += 1
            self._use_idle(host)

    def close_idle(self, host: Host) -> None:
        """Close the connections that no request uses: the replica has died, or is taken out."""
        self.connections -= host.idle
        host.idle = 0

    def _may_open(self, host: Host) -> bool:
        return self.connections < self._limits.connections or not host.connections

    def _open(self, host: Host) -> Turn:
        self.connections += 1
        if self.active >= self._limits.requests:
            host.idle += 1
            return Turn.OVERFLOW
        self._begin(host)
        return Turn.READY

    def _open_more(self, host: Host) -> None:
        for _ in range(_MOST_AT_ONCE):
            if not self._first(host) or not self._may_open(host):
                return
            if not host.member.listens:
                self._fail_all(host)
                return
            self.connections += 1
            host.idle += 1
            self._use_idle(host)

    def _use_idle(self, host: Host) -> None:
        while host.idle and (place := self._first(host)) is not None:
            host.pending.popleft()
            self.pending -= 1
            if self.active >= self._limits.requests:
                place.give(Turn.OVERFLOW)
            else:
                host.idle -= 1
                self._begin(host)
                place.give(Turn.READY)

    def _begin(self, host: Host) -> None:
        host.active += 1
        self.active += 1

    def _fail_all(self, host: Host) -> None:
        while (place := self._first(host)) is not None:
            host.pending.popleft()
            self.pending -= 1
            place.give(Turn.REFUSED)

    def _first(self, host: Host) -> Handover | None:
        while host.pending and host.pending[0].triggered:
            host.pending.popleft()
        return host.pending[0] if host.pending else None
