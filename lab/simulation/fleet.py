"""The replicas of a service over time: processes that boot, serve, drain and die."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol, runtime_checkable

from simpy import Interrupt
from simpy.events import Event, Process

from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.request import Handling, Outcome, Part, Request


@runtime_checkable
class Stoppable(Protocol):
    """What runs in a process that can be stopped and let go on."""

    def freeze(self) -> None:
        """Stop."""
        ...

    def thaw(self) -> None:
        """Go on."""
        ...


def _stoppable(part: Part) -> Stoppable:
    if not isinstance(part, Stoppable):
        raise TypeError(f"{type(part).__name__} can be neither frozen nor thawed: it lacks freeze() and thaw()")
    return part


class Life(StrEnum):
    """Where a process is in its life."""

    BOOTING = "booting"
    READY = "ready"
    DRAINING = "draining"
    GONE = "gone"


class Member:
    """One process in which a replica runs, from its start to its end; a restarted replica is a new one.

    ::

        booting --boot time--> ready --drain--> draining --nobody under way--> gone
           |                     |                 |
           `-------- crash ------+-----------------+--> gone: what was under way ends in an error at once

    Attributes:
        index: its number among all that the service ever had; the ``replica`` of its rows.
        part: what runs in the process.
        handle: the part's own, where processes never end; else guarded, so that a crash ends the work in it.
        replaces: the one that died and is restarted by this one (it has its address), or None.
        started_s: when it was started.
        ready_s: since when it takes requests; infinity while it boots.
        answered: how many requests it has answered; counted only where processes can end.
        frozen: whether it is stopped.
    """

    __slots__ = (
        "_changed_s",
        "_clock",
        "_connections",
        "_emptied",
        "_request_time_s",
        "_under_way",
        "answered",
        "frozen",
        "handle",
        "index",
        "life",
        "part",
        "ready_s",
        "replaces",
        "started_s",
    )

    def __init__(  # one more than six: what it is, where it stands, and whom it tells
        self,
        *,
        clock: Clock,
        part: Part,
        index: int,
        mortal: bool,
        replaces: Member | None,
        emptied: Callable[[Member], None],
    ) -> None:
        self._clock = clock
        self._emptied = emptied
        self._under_way: dict[Event, Process] = {}  # in the order of their arrival
        self._connections = 0
        self._request_time_s = 0.0
        self._changed_s = self.started_s = clock.now
        self.answered = 0
        self.ready_s = math.inf
        self.frozen = False
        self.index = index
        self.part = part
        self.life = Life.BOOTING
        self.replaces = replaces
        self.handle: Callable[[Request], Handling] = self._guarded if mortal else part.handle

    @property
    def listens(self) -> bool:
        """Whether a connection to it succeeds."""
        return self.life in (Life.READY, Life.DRAINING)

    @property
    def answers(self) -> bool:
        """Whether a health check of it succeeds: it listens, and its event loop still turns."""
        return self.listens and not self.frozen

    @property
    def under_way(self) -> int:
        """How many requests it has accepted and not answered; counted only where processes can end."""
        return len(self._under_way)

    @property
    def busy(self) -> bool:
        """Whether it has requests under way, or an open connection on which one is about to come."""
        return bool(self._under_way) or self._connections > 0

    def connect(self) -> None:
        """Open a connection: while it is open, draining does not end the process."""
        self._connections += 1

    def disconnect(self) -> None:
        """Close a connection."""
        self._connections -= 1
        if not self.busy:
            self._emptied(self)

    def request_time_s(self) -> float:
        """Return the time that its requests have been under way until now, summed over them (an area)."""
        self._account()
        return self._request_time_s

    def freeze(self) -> None:
        """Stop the process: it still listens, as the system accepts connections for it, but answers nothing."""
        self.frozen = True
        _stoppable(self.part).freeze()

    def thaw(self) -> None:
        """Let the process go on."""
        self.frozen = False
        _stoppable(self.part).thaw()

    def kill(self) -> None:
        """End all work in the process at once."""
        for work in list(self._under_way.values()):
            work.interrupt("the process died")

    def _guarded(self, request: Request) -> Handling:
        if not self.listens:
            return Outcome.ERROR  # connection refused
        self._account()
        work = self._clock.process(self.part.handle(request))
        self._under_way[work] = work
        work.callbacks.append(self._ended)
        try:
            return Outcome(str((yield work)))
        except Interrupt:
            if work.is_alive:
                raise  # not this process but its caller died: the work goes on, for nobody
            return Outcome.ERROR  # connection reset

    def _ended(self, work: Event) -> None:
        work.defused = True  # killed work ends in an exception, which is no mistake
        self._account()
        self.answered += 1
        del self._under_way[work]
        if not self.busy:
            self._emptied(self)

    def _account(self) -> None:
        now_s = self._clock.now
        self._request_time_s += (now_s - self._changed_s) * len(self._under_way)
        self._changed_s = now_s


class Rooms(Protocol):
    """Where processes need room before they boot."""

    def admit(self, member: Member, begin: Callable[[], None]) -> None:
        """Have ``begin`` called when the process has its room: now, or later."""
        ...

    def leave(self, member: Member) -> None:
        """Free the room of a process that has ended, or forget that it waits for some."""
        ...


class Fleet:
    """Starts, drains and crashes the processes of one service, and tells whoever watches.

    Args:
        make: makes what runs in the process of this index.
        mortal: whether processes end during the run; where they do not, work is not guarded, which is quicker.
        rooms: where processes need room before they boot; None: there is always room.

    Attributes:
        members: all there ever were, oldest first.
        count: how many are in each stage of life.
    """

    def __init__(self, *, clock: Clock, make: Callable[[int], Part], mortal: bool, rooms: Rooms | None = None) -> None:
        self._clock = clock
        self._make = make
        self.mortal = mortal
        self._rooms = rooms
        self._watchers: list[Callable[[Member], None]] = []
        self.members: list[Member] = []
        self.count = dict.fromkeys(Life, 0)

    @property
    def ready(self) -> list[Member]:
        """The members that take new requests, oldest first."""
        return [member for member in self.members if member.life is Life.READY]

    def watch(self, told: Callable[[Member], None]) -> None:
        """Have ``told`` called with a member whenever its life has changed, watchers in the order of watching."""
        self._watchers.append(told)

    def start(self, boot_time_s: float = 0.0, *, replaces: Member | None = None) -> Member:
        """Start a process, which is ready after ``boot_time_s``.

        Args:
            replaces: the dead one whose address it takes over.
        """
        index = len(self.members)
        member = Member(
            clock=self._clock,
            part=self._make(index),
            index=index,
            mortal=self.mortal,
            replaces=replaces,
            emptied=self._emptied,
        )
        self.members.append(member)
        self.count[member.life] += 1
        if self._rooms is None:
            self._boot(member, boot_time_s)
        else:
            self._rooms.admit(member, lambda: self._boot(member, boot_time_s))
            if member.life is Life.BOOTING:
                self._tell(member)
        return member

    def drain(self, member: Member) -> None:
        """Send it nothing new, and end it when what is under way is done.

        One that has crashed is taken out of service now, so that nothing waits for it to be restarted.
        """
        if member.life in (Life.READY, Life.GONE):
            self._become(member, Life.DRAINING)
        elif member.life is Life.BOOTING:
            self._become(member, Life.GONE)
        self._emptied(member)

    def crash(self, member: Member) -> None:
        """End it at once; what is under way ends in an error, and new connections are refused."""
        if member.life is not Life.GONE:
            self._become(member, Life.GONE)
            member.kill()

    def _boot(self, member: Member, boot_time_s: float) -> None:
        if boot_time_s > 0:
            self._tell(member)
            Timer(self._clock, boot_time_s, Order.COMPLETION, lambda _: self._booted(member))
        else:
            self._become(member, Life.READY)

    def _booted(self, member: Member) -> None:
        if member.life is Life.BOOTING:  # it may have been drained or have crashed meanwhile
            self._become(member, Life.READY)

    def _emptied(self, member: Member) -> None:
        if member.life is Life.DRAINING and not member.busy:
            self._become(member, Life.GONE)

    def _become(self, member: Member, life: Life) -> None:
        self.count[member.life] -= 1
        self.count[life] += 1
        member.life = life
        if life is Life.READY:
            member.ready_s = self._clock.now
        if life is Life.GONE and self._rooms is not None:
            self._rooms.leave(member)
        self._tell(member)

    def _tell(self, member: Member) -> None:
        for told in self._watchers:
            told(member)
