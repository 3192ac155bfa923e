"""What Envoy knows of one replica, and of all of them: who is healthy, and whether it panics."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from lab.simulation.clock import Clock, Handover
from lab.simulation.fleet import Member
from lab.simulation.log import Log

_OVERPROVISIONED_PERCENT = 140  # as much as this of the share that is healthy counts as available


class Host:
    """One replica as its cluster sees it.

    Attributes:
        slot: its number among all that the cluster ever had, in the order of their coming.
        member: the process at the address.
        active: requests under way there.
        idle: open connections that no request uses.
        pending: who waits for a connection to it; some may have gone meanwhile.
        ejected: whether outlier detection has taken it out.
        failures: failed requests in a row.
        requests: requests that have ended since the last look, and ``successes`` of them.
        spared: whether it should have been ejected since then, but no more may be.
        ejected_s: when it was ejected last; ``unejected_s``: let in again last, or None.
        times: how many base times its next ejection lasts, less one.
    """

    __slots__ = (
        "active",
        "ejected",
        "ejected_s",
        "failures",
        "idle",
        "member",
        "pending",
        "requests",
        "slot",
        "spared",
        "successes",
        "times",
        "unejected_s",
    )

    def __init__(self, member: Member, *, slot: int) -> None:
        self.member = member
        self.slot = slot
        self.active = self.idle = self.failures = self.requests = self.successes = self.times = 0
        self.pending: deque[Handover] = deque()
        self.ejected = self.spared = False
        self.ejected_s = -math.inf
        self.unejected_s: float | None = None

    @property
    def connections(self) -> int:
        """Open connections to it: each request under way has one."""
        return self.active + self.idle


class Cluster:
    """The replicas behind an Envoy, and among which of them it chooses.

    ::

        choosing among the healthy --healthy share below the threshold--> panic: choosing among all
                        ^                                                   |
                        `----------- share at the threshold or above -------'

    Source: Envoy, source/extensions/load_balancing_policies/common/load_balancer_impl.cc (isHostSetInPanic,
    recalculatePerPriorityPanic).

    Attributes:
        hosts: all replicas.
        chosen_among: those that requests are sent to.
        changed: called whenever that may have changed.
        removed: called with a replica that leaves.
    """

    def __init__(self, *, clock: Clock, log: Log, name: str, panic_threshold: float) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._panic_threshold = panic_threshold
        self.hosts: list[Host] = []
        self.chosen_among: list[Host] = []
        self.panics = False
        self.changed: list[Callable[[], None]] = []
        self.removed: list[Callable[[Host], None]] = []

    def add(self, host: Host) -> None:
        """Take a replica into the cluster."""
        self.hosts.append(host)
        self.update()

    def drain(self, host: Host) -> None:
        """Take a replica out of the cluster; what is under way there goes on."""
        self.hosts.remove(host)
        for told in self.removed:
            told(host)
        self.update()

    def remove(self, host: Host) -> None:
        """Forget a replica that was taken out and is done: nothing is left to forget."""

    def update(self) -> None:
        """Heed that replicas have come or gone, been ejected or let in."""
        healthy = [host for host in self.hosts if not host.ejected]
        panics = self._in_panic(len(healthy))
        if panics is not self.panics:
            self.panics = panics
            kind = "panic" if panics else "panic_over"
            self._log.event(self._name, kind, self._clock.now, healthy=len(healthy), of=len(self.hosts))
        self.chosen_among = list(self.hosts) if panics else healthy
        for told in self.changed:
            told()

    def note(self, kind: str, host: Host, **detail: object) -> None:
        """Tell that something has happened to a replica."""
        self._log.event(self._name, kind, self._clock.now, server=host.slot, replica=host.member.index, **detail)

    def _in_panic(self, healthy: int) -> bool:
        count = len(self.hosts)
        if not count or _OVERPROVISIONED_PERCENT * healthy // count >= 100:  # noqa: PLR2004  # all that is asked for
            return False
        return healthy / count < self._panic_threshold
