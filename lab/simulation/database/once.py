"""Idempotency keys: what was committed for a request is not done for it again."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from simpy.events import Event

from lab.simulation.clock import Clock
from lab.simulation.database.row_locks import Answers, Lock, RowLocks
from lab.simulation.log import Log
from lab.simulation.request import Outcome, Request


class Once:
    """A table with a unique index, into which transactions write whose they are before they do anything else.

    ::

        first statement --> is another attempt under way? --yes--> waits until it has ended
                                | no                                   |
                                `--------------------------------------+--> was one committed? --no--> goes on
                                                                                  `--yes--> duplicate (REJECTED)

    As in PostgreSQL: who inserts what another transaction has inserted and not committed waits for its end. A commit
    that a failover has lost counts no more. Its rows are ``NAME.once``; those of duplicates are ``rejected``.
    """

    def __init__(self, *, log: tuple[Clock, Log, str]) -> None:
        clock, rows, name = log
        self._locks = RowLocks(log=(clock, rows, f"{name}.once"), timeout_s=None, snapshots=False)
        self._done: set[int] = set()

    def claim(self, request: Request, identity: int, server: Answers) -> Generator[Event, object, Lock | Outcome]:
        """Return the right to do it; REJECTED if it was done, ERROR if the server has crashed."""
        asked = Request(request.number, request.attempt, request.operation, identity, request.visit, request.background)
        found = yield from self._locks.take(asked, 0, server, begins=True)
        if isinstance(found, Lock) and identity in self._done:
            yield from server.answer()
            return self._locks.refuse(found)
        return found

    def commit(self, identity: int) -> None:
        """Note that it is done."""
        self._done.add(identity)

    def forget(self, identities: Iterable[int]) -> None:
        """Take back what was lost."""
        self._done.difference_update(identities)

    def release(self, claim: Lock, *, committed: bool) -> None:
        """Give the right back as its transaction ends."""
        self._locks.release(claim, committed=committed, changed=False)

    def crash(self) -> None:
        """Forget who is at it; what was committed stays."""
        self._locks.crash()
