"""A transaction as a step: one connection, held over several steps."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from simpy import Interrupt
from simpy.events import Event

from lab.randomness import Stream, child_visit, name_key, splitmix64
from lab.scenario.client import Backoff, backoff_delay_s
from lab.simulation.database.client import TRANSACTION, DatabaseClient
from lab.simulation.database.session import Session
from lab.simulation.database.shards import Shards
from lab.simulation.log import Visit
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.steps import Runnable, Steps


class HeldConnections:
    """The connections that one transaction of an endpoint holds now, one for each request that is inside it.

    Attributes:
        on_primary: whether any of its statements writes or locks, so that it must go to the primary.
        once: a number for the transaction, if it is to be done once for each client request; else None.
    """

    def __init__(
        self, database: DatabaseClient | Shards[DatabaseClient], *, on_primary: bool, once: int | None
    ) -> None:
        self.database = database
        self.on_primary = on_primary
        self.once = once
        self.sessions: dict[Request, Session] = {}

    def let_go(self, request: Request) -> None:
        """Give the connection back at once, as when the process dies."""
        session = self.sessions.pop(request, None)
        if session is not None:
            self.database.of(request).end(session, Outcome.ERROR)


class Begin:
    """Takes a connection for a transaction; BEGIN itself travels with the first statement."""

    def __init__(self, *, held: HeldConnections, ordinal: int) -> None:
        self._held = held
        self._ordinal = ordinal

    def run(self, request: Request, visit: Visit) -> Handling:
        """Wait for a connection and keep it for the request."""
        asked = request.child(TRANSACTION, child_visit(request.visit, self._ordinal))
        session = yield from self._held.database.of(asked).begin(asked, on_primary=self._held.on_primary)
        if session is None:
            return Outcome.ERROR
        if self._held.once is not None:
            session.identity = splitmix64(splitmix64(request.number) ^ self._held.once)
        self._held.sessions[request] = session
        return Outcome.OK


class HeldQuery:
    """One statement on the connection of the transaction around it."""

    def __init__(self, *, held: HeldConnections, query: str, ordinal: int) -> None:
        self._held = held
        self._query = query
        self._ordinal = ordinal

    def run(self, request: Request, visit: Visit) -> Handling:
        """Do it on the connection that the request holds."""
        asked = request.child(self._query, child_visit(request.visit, self._ordinal))
        return self._held.database.of(asked).execute(self._held.sessions[request], asked, commits=False)


class End:
    """Commits, or rolls back what failed."""

    def __init__(self, *, held: HeldConnections, ordinal: int, commit: bool) -> None:
        self._held = held
        self._ordinal = ordinal
        self._commit = commit

    def run(self, request: Request, visit: Visit) -> Handling:
        """Send the statement that ends it, and give the connection back."""
        asked = request.child(TRANSACTION, child_visit(request.visit, self._ordinal))
        outcome = yield from self._held.database.of(asked).finish(
            self._held.sessions[request], asked, commit=self._commit
        )
        self._held.sessions.pop(request, None)
        return outcome


class Pauses:
    """The times that the application waits before it tries a transaction again.

    Args:
        backoff: how they grow from retry to retry.
        draws: of their jitter.
        ordinal: of the transaction within its endpoint.
        retry: which one this is, 1 for the first.
    """

    def __init__(self, *, backoff: Backoff, draws: Stream, ordinal: int, retry: int) -> None:
        self._backoff = backoff
        self._draws = draws
        self._ordinal = ordinal
        self._retry = retry

    def __call__(self, request: Request, ordinal: int) -> float:
        """Return the wait of this request before this retry, in seconds."""
        visit, delay_s = child_visit(request.visit, self._ordinal), None
        for retry in range(1, self._retry + 1):  # each may grow from the one before
            uniform = self._draws.uniform(request.number, request.attempt, child_visit(visit, retry))
            delay_s = backoff_delay_s(self._backoff, retry=retry, uniform=uniform, previous_s=delay_s)
        assert delay_s is not None  # retries are numbered from 1
        return delay_s


class Transaction:
    """Holds a connection from before its first step to the end of its commit; tries again after a conflict.

    ::

        begins --> waits for a connection --timeout, refused--> error
          ^             | has it
          |        its steps --one fails--> rollback --was it a conflict, and is a retry left?--> error
          |             | all done             `--yes--> gives the connection back, waits --.
          |        commit --> gives the connection back                                     |
          `---------------------------------------------------------------------------------'
    """

    def __init__(
        self,
        *,
        held: HeldConnections,
        steps: Steps,
        begin: Runnable,
        ends: tuple[Runnable, Runnable],
        pauses: Sequence[Runnable],
    ) -> None:
        """Make it; ``ends`` are its commit and its rollback, ``pauses`` the wait before each retry."""
        self._held = held
        self._steps = steps
        self._begin = begin
        self._commit, self._rollback = ends
        self._pauses = pauses

    def run(self, request: Request, visit: Visit) -> Handling:
        """Do the steps between taking the connection and giving it back, again after conflicts."""
        outcome, conflict = yield from self._attempt(request, visit)
        place = request.visit
        for retry, pause in enumerate(self._pauses, start=1):
            if not conflict:
                break
            yield from pause.run(request, visit)
            # What is done anew is drawn anew. The request stays the same one: the event loop knows it.
            request.visit = child_visit(place, name_key(f"retry {retry}"))
            try:
                outcome, conflict = yield from self._attempt(request, visit)
            finally:
                request.visit = place
        return outcome

    def _attempt(self, request: Request, visit: Visit) -> Generator[Event, object, tuple[Outcome, bool]]:
        """Do it once; return how it ended, and whether it was a conflict that a retry may overcome."""
        outcome = yield from self._begin.run(request, visit)
        if outcome is not Outcome.OK:
            return outcome, False
        try:
            outcome = yield from self._steps.run(request, visit)
            if outcome is Outcome.OK:
                return (yield from self._commit.run(request, visit)), False
            session = self._held.sessions[request]
            yield from self._rollback.run(request, visit)
            if session.duplicate:
                outcome = Outcome.OK  # what it was to do is done
        except Interrupt:  # the process died
            self._held.let_go(request)
            raise
        return outcome, session.conflict
