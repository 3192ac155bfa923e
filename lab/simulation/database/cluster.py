"""The servers of one database, as faults and clients find them."""

from __future__ import annotations

from collections.abc import Callable

from lab.simulation.clock import Clock, Handover, Order, Timer
from lab.simulation.database.once import Once
from lab.simulation.database.replication import Commit, Replication
from lab.simulation.database.row_locks import Locks
from lab.simulation.database.server import Server
from lab.simulation.database.session import Session
from lab.simulation.database.table import Table
from lab.simulation.log import Log, Visit
from lab.simulation.request import Handling, Outcome, Request


class Cluster:
    """A primary, which takes the writes, and replicas, which apply them and may be read.

    ::

        primary --crash--> down --restart--> primary
           `-----fail_over--> lost for good; nobody takes writes
                                 `--failover time--> the replica that has most commits is the primary;
                                                     commits that it did not have are lost

    With synchronous replicas a commit is answered when they have it. If the primary goes before, the client gets an
    error and does not know: the commit is there after a restart, and after a failover if the promoted replica had it.

    The other faults act on the primary too; see :class:`~lab.simulation.database.server.Server` for what each does.

    Attributes:
        servers: 0 is the primary at the start, the others its replicas.
        table: its rows.
        primary: number of the server that takes the writes.
        replicas: numbers of the servers that follow it.
        replication: what they have; None where there are none.
        locks: of the rows, or of the file; None where no statement needs any.
        once: which transactions are not done again.
    """

    def __init__(
        self,
        *,
        log: tuple[Clock, Log, str],
        servers: tuple[Server, ...],
        table: Table,
        replication: Replication | None,
        failover_s: float,
        locks: Locks | None,
    ) -> None:
        self.clock, self._log, self._name = log
        self.servers = servers
        self.table = table
        self.replication = replication
        self.locks = locks
        self.once = Once(log=log)
        self._in_doubt: dict[Handover, Commit] = {}  # commits that wait for replicas, in their order
        self._failover_s = failover_s
        self.primary = 0
        self.replicas = list(range(1, len(servers)))
        self._lost = False

    def commit(self, request: Request, rows: int, identity: int | None = None) -> Handling | None:
        """Put what a statement commits now into the table, and on its way to the replicas; return what it waits for.

        Args:
            identity: of a transaction that is to be done once.
        """
        self.table.insert(rows)
        if identity is not None:
            self.once.commit(identity)
        if self.replication is None:
            return None
        commit = self.replication.commit(request, rows, self.primary)
        commit.identity = identity
        return self._replicated(self.replication, commit, request) if self.replication.synchronous else None

    def _replicated(self, replication: Replication, commit: Commit, request: Request) -> Handling:
        """Wait until the replicas have a commit; its row is ``NAME.replication``."""
        clock, server = self.clock, self.servers[self.primary]
        row = self._log.open_visit(request, f"{self._name}.replication", 0, clock.now)
        row.admit(clock.now)
        answered = Handover(clock)
        self._in_doubt[answered] = commit
        wait_s = replication.there_s(commit, self.replicas) - clock.now
        Timer(clock, wait_s, Order.COMPLETION, lambda _: self._acknowledge(replication, answered))
        outcome = Outcome(str((yield answered)))
        yield from server.answer()
        row.service_time_s = clock.now - row.admitted_s
        return row.close(clock.now, outcome)

    def _acknowledge(self, replication: Replication, answered: Handover) -> None:
        commit = self._in_doubt.pop(answered, None)
        if commit is not None:  # the primary is still there
            replication.publish(commit)
            answered.give(Outcome.OK)

    def let_go(self, session: Session, *, committed: bool) -> None:
        """Give back what a transaction holds as it ends."""
        if session.lock is not None:
            assert self.locks is not None  # it came from there
            self.locks.release(session.lock, committed=committed, changed=session.updates)
            session.lock = None
        if session.claim is not None:
            self.once.release(session.claim, committed=committed)
            session.claim = None

    def reading(self, key: int, server: int, known_s: float) -> Callable[[Visit], None] | None:
        """Return what notes in the row of a read, as it begins, whether the server lacks what its key was known to be.

        Args:
            known_s: what was committed by then had been answered when the read was sent.
        """
        replication = self.replication
        if replication is None:
            return None

        def begins(row: Visit) -> None:
            row.stale = replication.is_stale(key, server, known_s)

        return begins

    def crash(self) -> None:
        """End everything under way on the primary in an error, and refuse whoever comes, until ``restart``."""
        self.servers[self.primary].crash()
        if self.locks is not None:
            self.locks.crash()
        self.once.crash()
        in_doubt, self._in_doubt = self._in_doubt, {}
        for answered, commit in in_doubt.items():
            assert self.replication is not None  # or nothing would wait for it
            commit.acknowledged = False
            self.replication.publish(commit)
            answered.give(Outcome.ERROR)

    def restart(self) -> None:
        """Bring the primary up again; connections of before stay broken. One that was lost does not come back."""
        if not self._lost:
            self.servers[self.primary].restart()

    def freeze(self) -> None:
        """Let the primary stand still: nothing fails, nothing is answered until ``thaw``."""
        self.servers[self.primary].freeze()

    def thaw(self) -> None:
        """Let the primary go on from where it stood still."""
        self.servers[self.primary].thaw()

    def slow_down(self, factor: float) -> None:
        """Let everything on the primary take ``factor`` times as long, what is under way included."""
        self.servers[self.primary].slow_down(factor)

    def recover(self) -> None:
        """Let the primary be as fast as at first."""
        self.servers[self.primary].recover()

    def fail_over(self) -> None:
        """Lose the primary, and promote the replica that has most commits when the failover time is over.

        The events ``fail_over`` and ``promoted`` tell of it, the latter with the commits that were lost: those that
        were answered, but that the promoted replica did not have when the primary went.
        """
        if self.replication is None or not self.replicas or self._lost:
            return
        self.crash()
        self._lost = True
        applied = {server: self.replication.applied(server) for server in self.replicas}
        promoted = max(self.replicas, key=lambda server: (applied[server], -server))
        lost = self.replication.cut(applied[promoted])
        self.table.insert(-sum(commit.rows for commit in lost))
        self.once.forget(commit.identity for commit in lost if commit.identity is not None)
        commits = sum(commit.acknowledged for commit in lost)
        self._log.event(self._name, "fail_over", self.clock.now, primary=self.primary)
        Timer(self.clock, self._failover_s, Order.COMPLETION, lambda _: self._promote(promoted, commits))

    def _promote(self, server: int, lost_commits: int) -> None:
        self.primary = server
        self.replicas.remove(server)
        self._lost = False
        self._log.event(self._name, "promoted", self.clock.now, primary=server, lost_commits=lost_commits)
