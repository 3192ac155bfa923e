"""Row locks: whoever changes a row holds it until the transaction ends, and the others wait in line."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import Protocol

from simpy.events import Event

from lab.simulation.clock import Clock, Handover, Order, Timer
from lab.simulation.log import Log, Visit
from lab.simulation.request import Outcome, Request


class Lock:
    """A row that somebody holds, or waits for."""

    __slots__ = ("key", "place", "visit", "waiting")

    def __init__(self, *, key: int, visit: Visit, place: Handover) -> None:
        self.key = key
        self.visit = visit
        self.place = place
        self.waiting: deque[Lock] = deque()  # while it is held: those behind


class Answers(Protocol):
    """A server, which may stand still."""

    def answer(self) -> Generator[Event, object, None]:
        """Wait until it can answer."""
        ...


class Locks(Protocol):
    """What a server has transactions hold while they write.

    Attributes:
        changes: how often something was changed and committed until now; a snapshot is this number.
    """

    changes: int

    def take(
        self, request: Request, snapshot: int, server: Answers, *, begins: bool
    ) -> Generator[Event, object, Lock | Outcome]:
        """Return what a statement needs to hold; or why it fails.

        Args:
            request: whose key it is about.
            snapshot: what ``changes`` were when the first statement of its transaction came.
            server: where that happens.
            begins: whether this is that first statement.
        """
        ...

    def release(self, lock: Lock, *, committed: bool, changed: bool) -> None:
        """Give it back as its transaction ends."""
        ...

    def crash(self) -> None:
        """Forget everything."""
        ...


class RowLocks:
    """The locks of the rows of one table, one row a key, on the server that takes the writes.

    ::

        wants a row --> free? --yes----------------------------------> holds it --transaction ends--> the next in line
                          | no                                           ^                            has it, or nobody
                          `--> waits (FIFO) --its turn--> changed since--+
                                  |                       the snapshot? -'
                                  |                            `--yes--> conflict (REJECTED), when snapshots count
                                  |--lock_timeout--> TIMEOUT
                                  `--the server crashes--> ERROR

    As in PostgreSQL: a waiting statement sleeps, on its connection but on no core; what comes after it in line stays
    behind it; an error of the transaction gives its locks back at once, before the application rolls it back. A
    transaction of one request has one key, hence one row, so that transactions cannot wait for each other in a circle.

    Its rows have the name that it is given, such as ``main.lock``: the wait for the lock, and then the stay until the
    transaction ended, ``ok`` if it was committed. One that is turned away says how: ``rejected`` (a conflict),
    ``timeout``, ``error``.

    Attributes:
        changes: how many rows were changed and committed until now; a snapshot is this number.
    """

    def __init__(self, *, log: tuple[Clock, Log, str], timeout_s: float | None, snapshots: bool) -> None:
        self._clock, self._log, self._name = log
        self._timeout_s = timeout_s
        self._snapshots = snapshots
        self._held: dict[int, Lock] = {}
        self._changed: dict[int, int] = {}  # by key, the number of its last change
        self.changes = 0

    def take(
        self, request: Request, snapshot: int, server: Answers, *, begins: bool
    ) -> Generator[Event, object, Lock | Outcome]:
        """Return the lock of the row of the request's key; or why the statement fails."""
        now_s = self._clock.now
        visit = self._log.open_visit(request, self._name, 0, now_s)
        lock = Lock(key=request.key, visit=visit, place=Handover(self._clock))
        holder = self._held.get(lock.key)
        if holder is None:
            self._held[lock.key] = lock
        else:
            holder.waiting.append(lock)
            if self._timeout_s is not None:
                Timer(self._clock, self._timeout_s, Order.EXPIRY, lambda _: self._turn_away(lock, Outcome.TIMEOUT))
            outcome = Outcome(str((yield lock.place)))
            if outcome is not Outcome.OK:
                yield from server.answer()
                visit.turn_away(self._clock.now, outcome)
                return outcome
            if self._held.get(lock.key) is not lock:  # the server has crashed at this very time
                return Outcome.ERROR
        if self._snapshots and self._changed.get(lock.key, 0) > snapshot:
            self._hand_over(lock)
            yield from server.answer()
            visit.turn_away(self._clock.now, Outcome.REJECTED)
            return Outcome.REJECTED
        visit.admit(self._clock.now)
        return lock

    def release(self, lock: Lock, *, committed: bool, changed: bool) -> None:
        """Give a row back as its transaction ends, to whoever has waited longest."""
        if self._held.get(lock.key) is not lock:
            return  # the server has crashed since, and all its locks with it
        if committed and changed:
            self.changes += 1
            self._changed[lock.key] = self.changes
        lock.visit.close(self._clock.now, Outcome.OK if committed else Outcome.ERROR)
        self._hand_over(lock)

    def refuse(self, lock: Lock) -> Outcome:
        """Take a row back at once from who should not have it, and return how that is told."""
        if self._held.get(lock.key) is not lock:
            return Outcome.ERROR  # the server has crashed since
        self._hand_over(lock)
        return lock.visit.close(self._clock.now, Outcome.REJECTED)

    def crash(self) -> None:
        """Forget all locks: the transactions that held or wanted them are no more."""
        held, self._held = self._held, {}
        for lock in held.values():
            if lock.visit.admitted_s == lock.visit.admitted_s:  # else it was just given, and nobody has taken it
                lock.visit.close(self._clock.now, Outcome.ERROR)
            else:
                lock.visit.turn_away(self._clock.now, Outcome.ERROR)
            for behind in lock.waiting:
                self._turn_away(behind, Outcome.ERROR)

    def _hand_over(self, lock: Lock) -> None:
        waiting = lock.waiting
        while waiting:
            following = waiting.popleft()
            if not following.place.triggered:
                following.waiting = waiting
                self._held[lock.key] = following
                following.place.give(Outcome.OK)
                return
        del self._held[lock.key]

    def _turn_away(self, lock: Lock, outcome: Outcome) -> None:
        if not lock.place.triggered:
            lock.place.give(outcome)
