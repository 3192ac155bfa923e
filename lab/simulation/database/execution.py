"""What a database does at its server for one statement: locks, execution, commit."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from simpy.events import Event

from lab.simulation.database.cluster import Cluster
from lab.simulation.database.row_locks import Lock
from lab.simulation.database.server import Server
from lab.simulation.database.session import Session, Statement
from lab.simulation.request import Handling, Outcome, Request


def perform(
    cluster: Cluster, session: Session, request: Request, statement: Statement | None, *, commits: bool
) -> Handling:
    """Do a statement on the connection of a session.

    ::

        arrives --> wants its row? --> has its lock --> waits for a core, executes --> commits? --> replicas have it?
                                  `--> conflict, timeout: the transaction is over         |               |
                                                                                          `---------------`--> answers

    The locks are given back when a transaction has ended: committed, rolled back (neither a statement nor a commit),
    or left alone by a process that has died.
    """
    server, generation = cluster.servers[session.server], session.connection.generation
    if statement is not None and generation == server.generation:
        for needed in _needed(cluster, server, session, request, statement):
            if (yield from needed) is not Outcome.OK:
                return Outcome.ERROR
    work_s, begins = 0.0, None
    if statement is not None:
        work_s = statement.time(request)
        if statement.plan_s is not None:
            work_s += statement.plan_s(cluster.table.rows)
        if statement.reads:
            begins = cluster.reading(request.key, session.server, session.known_s)
    outcome = yield from server.execute(request, work_s, generation, begins)
    if outcome is Outcome.OK:
        if statement is not None:
            session.done(statement)
        if commits and session.writes:
            replicated = cluster.commit(request, session.inserted, session.identity)
            if replicated is not None:
                outcome = yield from replicated
    if commits or statement is None or session.ended:
        cluster.let_go(session, committed=commits and outcome is Outcome.OK)
    return outcome


def _needed(
    cluster: Cluster, server: Server, session: Session, request: Request, statement: Statement
) -> Iterator[Handling]:
    """Yield what gets what a statement needs and its transaction does not have; the first takes the snapshot."""
    locks, begins = cluster.locks, session.snapshot is None
    if locks is not None and session.snapshot is None:
        session.snapshot = locks.changes
    if session.identity is not None and session.claim is None:
        yield _claim(session, cluster.once.claim(request, session.identity, server))
    if locks is not None and statement.locks and session.lock is None:
        yield _lock(session, locks.take(request, session.snapshot or 0, server, begins=begins))


def _claim(session: Session, taking: Generator[Event, object, Lock | Outcome]) -> Handling:
    found = yield from taking
    if isinstance(found, Lock):
        session.claim = found
        return Outcome.OK
    session.aborted = session.duplicate = found is Outcome.REJECTED
    return found


def _lock(session: Session, taking: Generator[Event, object, Lock | Outcome]) -> Handling:
    found = yield from taking
    if isinstance(found, Lock):
        session.lock = found
        return Outcome.OK
    session.aborted = found is not Outcome.ERROR  # that is a crash, which breaks the connection
    session.conflict = found is Outcome.REJECTED
    return found
