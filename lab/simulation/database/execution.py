"""What a database does at its server for one statement: locks, execution, commit."""

from __future__ import annotations

from collections.abc import Generator

from simpy.events import Event

from lab.simulation.database.cluster import Cluster
from lab.simulation.database.row_locks import Lock, Locks
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
    if cluster.locks is not None and statement is not None and generation == server.generation:
        lock = _wanted(cluster.locks, server, session, request, statement)
        if lock is not None and (yield from lock) is not Outcome.OK:
            return Outcome.ERROR
    work_s, begins = 0.0, None
    if statement is not None:
        work_s = statement.time(request)
        if statement.plan_s is not None:
            work_s += statement.plan_s(cluster.table.rows)
        if statement.reads:
            begins = cluster.reading(request.key, session.server)
    outcome = yield from server.execute(request, work_s, generation, begins)
    if outcome is Outcome.OK:
        if statement is not None:
            session.done(statement)
        if commits and session.writes:
            replicated = cluster.commit(request, session.inserted)
            if replicated is not None:
                outcome = yield from replicated
    if session.lock is not None and (commits or statement is None or session.ended):
        cluster.let_go(session.lock, committed=commits and outcome is Outcome.OK, changed=session.updates)
        session.lock = None
    return outcome


def _wanted(locks: Locks, server: Server, session: Session, request: Request, statement: Statement) -> Handling | None:
    """Return what gets the lock that a statement needs and does not have; the first one of all takes the snapshot."""
    begins = session.snapshot is None
    if session.snapshot is None:
        session.snapshot = locks.changes
    if not statement.locks or session.lock is not None:
        return None
    return _lock(session, locks.take(request, session.snapshot, server, begins=begins))


def _lock(session: Session, taking: Generator[Event, object, Lock | Outcome]) -> Handling:
    found = yield from taking
    if isinstance(found, Lock):
        session.lock = found
        return Outcome.OK
    session.aborted = found is not Outcome.ERROR  # that is a crash, which breaks the connection
    session.conflict = found is Outcome.REJECTED
    return found
