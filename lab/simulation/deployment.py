"""Keeps the fleet of a service at a wanted number of processes, as a Kubernetes Deployment does."""

from __future__ import annotations

from collections.abc import Callable

from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.fleet import Fleet, Life, Member
from lab.simulation.log import Log

_GAUGES = {Life.BOOTING: "replicas_starting", Life.READY: "replicas_ready", Life.DRAINING: "replicas_draining"}


class Deployment:
    """Starts and drains processes until as many live as are wanted, as far as the quota allows.

    ::

        wanted > live --> start (boot time) as many as the quota leaves room for; the rest when there is room
        wanted < live --> drain: first those that are down or booting, then the newest ready ones
        a process crashes --restart_after--> another takes its place (meanwhile it is down, but lives on paper)
                          `--no restart--> where an autoscaler keeps the number, another is started at once

    Attributes:
        wanted: how many processes are to live; draining ones do not count.
        quota: how many may be there at once, draining ones included; None: no limit.
        down: the crashed ones that will be restarted.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        log: Log,
        name: str,
        fleet: Fleet,
        boot_time_s: Callable[[int], float],
        upkeep: tuple[bool, int | None],
    ) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._boot_time_s = boot_time_s
        self._keeps_number, self.quota = upkeep
        self._reconciling = False
        self._short = 0  # how many the quota denies
        self.fleet = fleet
        self.down: list[Member] = []
        self.wanted = len(fleet.ready)
        fleet.watch(self._changed)
        self._read_gauges()

    def living(self, *lives: Life) -> list[Member]:
        """Return the members in one of these stages of life, oldest first."""
        return [member for member in self.fleet.members if member.life in lives]

    @property
    def live(self) -> int:
        """How many there are on paper: booting, ready, or down and to be restarted."""
        count = self.fleet.count
        return count[Life.BOOTING] + count[Life.READY] + len(self.down)

    @property
    def has_room(self) -> bool:
        """Whether the quota leaves room for one process more."""
        return self.quota is None or self.live + self.fleet.count[Life.DRAINING] < self.quota

    def add(self) -> Member:
        """Start one process more, for which there is room, and return it."""
        self.wanted += 1
        return self._start()

    def remove(self, member: Member) -> None:
        """Drain this process, and have one less from now on."""
        self.wanted -= 1
        self.fleet.drain(member)

    def scale_to(self, wanted: int) -> None:
        """Have this many processes from now on."""
        self.wanted = wanted
        surplus = self.live - wanted
        for member in self._removable()[: max(0, surplus)]:
            if member in self.down:
                self.down.remove(member)
            self.fleet.drain(member)
        self._reconcile()
        self._read_gauges()

    def crash(self, member: Member, *, restart_after_s: float | None) -> None:
        """End a process at once.

        Args:
            restart_after_s: when another is started in its place, which then boots; None: never.
        """
        lived_on_paper = member.life in (Life.BOOTING, Life.READY)
        if restart_after_s is not None and lived_on_paper:
            self.down.append(member)
            Timer(self._clock, restart_after_s, Order.COMPLETION, lambda _: self._restart(member))
        elif lived_on_paper and not self._keeps_number:
            self.wanted -= 1
        self.fleet.crash(member)

    def allow(self, quota: int | None) -> None:
        """Set the quota; what is there already stays."""
        self.quota = quota
        self._reconcile()

    def _removable(self) -> list[Member]:
        """Whom to end first: as Kubernetes ranks pods, without its weighing of nodes and deletion costs."""
        booting, ready = self.living(Life.BOOTING), self.living(Life.READY)
        newest_first = sorted(ready, key=lambda member: (-member.ready_s, -member.index))
        return [*reversed(self.down), *reversed(booting), *newest_first]

    def _restart(self, dead: Member) -> None:
        if dead in self.down:
            self.down.remove(dead)
            self._log.event(
                self._name, "restart", self._clock.now, replica=len(self.fleet.members), replaces=dead.index
            )
            self._start(replaces=dead)

    def _start(self, *, replaces: Member | None = None) -> Member:
        return self.fleet.start(self._boot_time_s(len(self.fleet.members)), replaces=replaces)

    def _reconcile(self) -> None:
        """Start what is missing and the quota allows."""
        if self._reconciling:  # a process that starts tells its watchers, of whom this is one
            return
        self._reconciling = True
        missing = max(0, self.wanted - self.live)
        taken = self.live + self.fleet.count[Life.DRAINING]
        room = missing if self.quota is None else max(0, self.quota - taken)
        for _ in range(min(missing, room)):
            self._start()
        short = missing - min(missing, room)
        if short > self._short:
            quota = self.quota
            self._log.event(self._name, "quota_reached", self._clock.now, wanted=self.wanted, quota=quota, denied=short)
        self._short = short
        self._reconciling = False

    def _changed(self, member: Member) -> None:
        if member.life is Life.GONE:
            self._reconcile()
        self._read_gauges()

    def _read_gauges(self) -> None:
        now_s = self._clock.now
        self._log.gauge(self._name, -1, "replicas_wanted", now_s, self.wanted)
        for life, gauge in _GAUGES.items():
            self._log.gauge(self._name, -1, gauge, now_s, self.fleet.count[life])
