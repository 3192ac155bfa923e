"""One database server: statements queue for its cores; it may be slow, freeze, crash and come back."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterable

from simpy.events import Event

from lab.simulation.clock import Clock, Handover, Order, Timer
from lab.simulation.log import Log, Visit
from lab.simulation.request import Handling, Outcome, Request


class Work:
    """A statement, or the opening of a connection (which has no row and needs no core)."""

    __slots__ = ("begins", "left_s", "over", "request", "since_s", "turn", "visit")

    def __init__(self, clock: Clock, work_s: float, visit: Visit | None, request: Request | None = None) -> None:
        self.visit = visit
        self.request = request  # of a statement
        self.begins: Callable[[Visit], None] | None = None
        self.left_s = work_s  # at full speed
        self.since_s = clock.now
        self.turn = 0  # timers of earlier turns are void
        self.over = Handover(clock)


class Server:
    """Executes up to ``cores`` statements at once, first come first served.

    ::

        arrives --> opened before a crash? --yes--> error at once (the connection is broken)
                        | no
                    waits for a core (FIFO) --> executes at the server's speed --> answers

        speed 1 --slow_down(factor)--> 1/factor --recover--> 1;  --freeze--> 0 --thaw--> as before
        up --crash--> down: all that waits or executes ends in an error at once, who connects is refused
             <--restart-- (thawed, as slow as before)

    A core is held for a statement's whole execution, as in PostgreSQL, where a connection is a process of its own.
    The rows are ``name.server``; their service time is the time on a core, slowness and standstill included.

    Attributes:
        generation: how often it has crashed; a connection lives only in the generation in which it was opened.
    """

    def __init__(
        self, *, clock: Clock, log: Log, name: str, index: int, cores: int | None, max_connections: int | None
    ) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._index = index
        self._cores: float = math.inf if cores is None else cores
        self._free = self._cores
        self._most: float = math.inf if max_connections is None else max_connections
        self._open = 0
        self._slowness, self._frozen = 1.0, False
        self._waiting: deque[Work] = deque()
        self._running: dict[Work, None] = {}  # in the order in which they began
        self.generation = 0
        self.up = True

    def accept(self) -> bool:
        """Take one more connection, unless the server is down or has no room for another."""
        if not self.up or self._open >= self._most:
            return False
        self._count(1)
        return True

    def connect(self, connect_s: float) -> Generator[Event, object, int | None]:
        """Open a connection and return its generation; None if it was refused, or broken off by a crash.

        Refusing takes no time. It needs no core: what it costs is given as a time.
        """
        generation = self.generation
        if not self.accept():
            return None
        if connect_s == 0 and not self._frozen:
            return generation
        opening = Work(self._clock, connect_s, None)
        self._run(opening)
        return generation if (yield opening.over) is Outcome.OK else None

    def disconnect(self, generation: int) -> None:
        """Close a connection that was opened in this generation."""
        if generation == self.generation:
            self._count(-1)

    def execute(
        self, request: Request, work_s: float, generation: int, begins: Callable[[Visit], None] | None = None
    ) -> Handling:
        """Do a statement of ``work_s`` on a connection that was opened in ``generation``.

        Args:
            begins: called with its row when it gets a core.
        """
        if generation != self.generation:
            return Outcome.ERROR
        clock = self._clock
        row = self._log.open_visit(request, f"{self._name}.server", self._index, clock.now)
        statement = Work(clock, work_s, row, request)
        statement.begins = begins
        if self._free > 0:
            self._admit(statement)
        else:
            self._waiting.append(statement)
        return Outcome(str((yield statement.over)))

    def reach(self, request: Request, work: Handling) -> Handling:
        """Return the work as it is, for whoever is not cut off from the server."""
        return work

    def answer(self) -> Generator[Event, object, None]:
        """Wait until the server can answer: at once, unless it stands still."""
        if self._frozen:
            standing = Work(self._clock, 0.0, None)
            self._run(standing)
            yield standing.over

    def crash(self) -> None:
        """Go down; everything under way ends in an error, and every connection is broken."""
        if not self.up:
            return
        now_s = self._clock.now
        self.up, self._frozen = False, False
        self.generation += 1
        self._count(-self._open)
        for work in (*self._running, *self._waiting):
            work.turn += 1
            if work.visit is not None and work in self._running:
                work.visit.service_time_s = self._served_s(work, work.visit)
                work.visit.close(now_s, Outcome.ERROR)
            elif work.visit is not None:
                work.visit.turn_away(now_s, Outcome.ERROR)
            work.over.give(Outcome.ERROR)
        self._running.clear()
        self._waiting.clear()
        self._free = self._cores

    def restart(self) -> None:
        """Come up again, with nothing under way and no connection open."""
        self.up = True

    def freeze(self) -> None:
        """Stand still: connections stay and are accepted, but nothing is answered until ``thaw``."""
        if self.up:
            self._set_speed(slowness=self._slowness, frozen=True)

    def thaw(self) -> None:
        """Go on from where it stood still."""
        self._set_speed(slowness=self._slowness, frozen=False)

    def slow_down(self, factor: float) -> None:
        """Take ``factor`` times as long for everything from now on, what is under way included."""
        self._set_speed(slowness=factor, frozen=self._frozen)

    def recover(self) -> None:
        """Be as fast as at first."""
        self.slow_down(1.0)

    def _set_speed(self, *, slowness: float, frozen: bool) -> None:
        now_s = self._clock.now
        for work in self._timed():
            if not self._frozen:
                work.left_s = max(0.0, work.left_s - (now_s - work.since_s) / self._slowness)
            work.since_s = now_s
            work.turn += 1
        self._slowness, self._frozen = slowness, frozen
        for work in self._timed():
            self._time(work)

    def _timed(self) -> Iterable[Work]:
        """What is executed at the server's own speed."""
        return self._running

    def _admit(self, statement: Work) -> None:
        assert statement.visit is not None  # openings are not admitted
        self._free -= 1
        statement.visit.admit(self._clock.now)
        if statement.begins is not None:
            statement.begins(statement.visit)
        self._run(statement)

    def _run(self, work: Work) -> None:
        work.since_s = self._clock.now
        self._running[work] = None
        self._time(work)

    def _time(self, work: Work) -> None:
        if not self._frozen:
            turn = work.turn
            Timer(self._clock, work.left_s * self._slowness, Order.COMPLETION, lambda _: self._end(work, turn))

    def _end(self, work: Work, turn: int) -> None:
        if work.turn != turn:
            return  # the speed has changed since, or the server has crashed
        del self._running[work]
        if work.visit is not None:
            work.visit.service_time_s = self._served_s(work, work.visit)
            work.visit.close(self._clock.now, Outcome.OK)
            self._free += 1
            if self._waiting:
                self._admit(self._waiting.popleft())
        work.over.give(Outcome.OK)

    def _served_s(self, work: Work, visit: Visit) -> float:
        """Return for how long a statement has been executed, slowness and standstill included."""
        return self._clock.now - visit.admitted_s

    def _count(self, opened: int) -> None:
        self._open += opened
        self._log.gauge(self._name, self._index, "connections_open", self._clock.now, self._open)
