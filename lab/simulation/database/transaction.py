"""A transaction as a step: one connection, held over several steps."""

from __future__ import annotations

from simpy import Interrupt

from lab.randomness import child_visit
from lab.simulation.database.client import TRANSACTION, DatabaseClient, Session
from lab.simulation.log import Visit
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.steps import Runnable, Steps


class HeldConnections:
    """The connections that one transaction of an endpoint holds now, one for each request that is inside it.

    Attributes:
        writes: whether any of its statements writes, so that it must go to the primary.
    """

    def __init__(self, database: DatabaseClient, *, writes: bool) -> None:
        self.database = database
        self.writes = writes
        self.sessions: dict[Request, Session] = {}

    def let_go(self, request: Request) -> None:
        """Give the connection back at once, as when the process dies."""
        session = self.sessions.pop(request, None)
        if session is not None:
            self.database.end(session, Outcome.ERROR)


class Begin:
    """Takes a connection for a transaction; BEGIN itself travels with the first statement."""

    def __init__(self, *, held: HeldConnections, ordinal: int) -> None:
        self._held = held
        self._ordinal = ordinal

    def run(self, request: Request, visit: Visit) -> Handling:
        """Wait for a connection and keep it for the request."""
        asked = request.child(TRANSACTION, child_visit(request.visit, self._ordinal))
        session = yield from self._held.database.begin(asked, writes=self._held.writes)
        if session is None:
            return Outcome.ERROR
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
        return self._held.database.execute(self._held.sessions[request], asked, commits=False)


class End:
    """Commits, or rolls back what failed."""

    def __init__(self, *, held: HeldConnections, ordinal: int, commit: bool) -> None:
        self._held = held
        self._ordinal = ordinal
        self._commit = commit

    def run(self, request: Request, visit: Visit) -> Handling:
        """Send the statement that ends it, and give the connection back."""
        asked = request.child(TRANSACTION, child_visit(request.visit, self._ordinal))
        outcome = yield from self._held.database.finish(self._held.sessions[request], asked, commit=self._commit)
        self._held.sessions.pop(request, None)
        return outcome


class Transaction:
    """Holds a connection from before its first step to the end of its commit.

    ::

        begins --> waits for a connection --timeout, refused--> error
                        | has it
                   its steps --one fails--> rollback --> error
                        | all done
                   commit --> gives the connection back
    """

    def __init__(
        self, *, held: HeldConnections, steps: Steps, begin: Runnable, commit: Runnable, rollback: Runnable
    ) -> None:
        self._held = held
        self._steps = steps
        self._begin = begin
        self._commit = commit
        self._rollback = rollback

    def run(self, request: Request, visit: Visit) -> Handling:
        """Do the steps between taking the connection and giving it back."""
        outcome = yield from self._begin.run(request, visit)
        if outcome is not Outcome.OK:
            return outcome
        try:
            outcome = yield from self._steps.run(request, visit)
            if outcome is Outcome.OK:
                return (yield from self._commit.run(request, visit))
            yield from self._rollback.run(request, visit)
        except Interrupt:  # the process died
            self._held.let_go(request)
            raise
        return outcome
