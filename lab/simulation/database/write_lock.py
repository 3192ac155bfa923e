"""SQLite's one writer: who finds the file locked sleeps and looks again; there is no line."""

from __future__ import annotations

from collections.abc import Generator

from simpy.events import Event

from lab.scenario.busy_wait import busy_delays_s
from lab.simulation.clock import Clock, Handover, Order, Timer
from lab.simulation.database.row_locks import Answers, Lock
from lab.simulation.log import Log
from lab.simulation.request import Outcome, Request


class WriteLock:
    """The lock that a transaction needs to write to a file in WAL mode; readers need none and are never blocked.

    ::

        writes first --> free? --yes--> holds it --transaction ends--> free
                           | no           ^
                           `--> sleeps 1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100, 100, ... ms, then looks
                                  `--has slept for busy_timeout--> TIMEOUT (SQLITE_BUSY)
        writes after it has read --> free, and nothing committed since? --yes--> holds it
                                       `--no--> REJECTED at once (SQLITE_BUSY, SQLITE_BUSY_SNAPSHOT)

    Whoever comes when it is free has it, however long others have been sleeping: who has waited longest looks least
    often. A transaction that has read cannot wait, as what it has read may be old by then; busy_timeout does not help.

    Its rows are ``NAME.lock``, like those of :class:`~lab.simulation.database.row_locks.RowLocks`.

    Attributes:
        changes: how many transactions have written and committed until now; a snapshot is this number.
    """

    def __init__(self, *, log: tuple[Clock, Log, str], timeout_s: float) -> None:
        self._clock, self._log, self._name = log
        self._timeout_s = timeout_s
        self._holder: Lock | None = None
        self.changes = 0

    def take(
        self, request: Request, snapshot: int, server: Answers, *, begins: bool
    ) -> Generator[Event, object, Lock | Outcome]:
        """Return the lock; or why the statement fails."""
        clock = self._clock
        visit = self._log.open_visit(request, self._name, 0, clock.now)
        if not begins and (self._holder is not None or self.changes > snapshot):
            return visit.turn_away(clock.now, Outcome.REJECTED)
        delays_s = busy_delays_s(self._timeout_s)
        while self._holder is not None:
            delay_s = next(delays_s, None)
            if delay_s is None:
                return visit.turn_away(clock.now, Outcome.TIMEOUT)
            yield Timer(clock, delay_s, Order.EXPIRY)  # who lets go at this very time has let go
        lock = self._holder = Lock(key=request.key, visit=visit, place=Handover(clock))  # for which nobody waits
        visit.admit(clock.now)
        return lock

    def release(self, lock: Lock, *, committed: bool, changed: bool) -> None:
        """Let the file be written by whoever looks next."""
        assert lock is self._holder  # one at a time, and nothing takes it away
        self.changes += committed  # whoever holds it has written
        lock.visit.close(self._clock.now, Outcome.OK if committed else Outcome.ERROR)
        self._holder = None

    def crash(self) -> None:
        """Do nothing: there is no server that could crash."""
