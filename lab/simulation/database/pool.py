"""SQLAlchemy's QueuePool: the connections that one process keeps to one database server."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator

from simpy.events import Event

from lab.simulation.clock import Clock
from lab.simulation.database.remote import Reachable
from lab.simulation.line import Line

_CLOSED = -1


class Connection:
    """A place in the pool, with the server's generation in which its connection was opened."""

    __slots__ = ("generation", "known")

    def __init__(self) -> None:
        self.generation = _CLOSED
        self.known = False  # to the pool, which forgets a place whose first connection could not be opened


class Pool:
    """Up to ``size`` idle connections, and at most ``size + overflow`` in all; who finds none waits in line.

    ::

        take --> an idle one (the one idle for longest) --> opened already? --no--> open it
                     | none, but fewer than size + overflow: a new one ------------^
                     | none: waits (FIFO) --timeout--> None
        give back --> whoever waits; else idle, if fewer than size are; else closed

    As in SQLAlchemy, connections are opened by who first needs them and pays for it, and which one is overflow shows
    only when it is given back. When a statement finds its connection broken, the whole pool is taken to be broken:
    each place is opened anew when next taken.

    Attributes:
        disposed: whether the process that kept it has ended.
    """

    def __init__(self, *, clock: Clock, server: Reachable, size: int, overflow: int, timeout_s: float) -> None:
        self.server = server
        self._line = Line(clock, size + overflow)
        self._size = size
        self._timeout_s = timeout_s
        self._idle: deque[Connection] = deque()
        self._broken_before = 0
        self.disposed = False

    def prefill(self) -> None:
        """Open ``size`` connections ahead, as far as the server has room for them; costs nobody anything."""
        for _ in range(self._size):
            connection = Connection()
            if self.server.accept():
                connection.generation = self.server.generation
                connection.known = True
                self._idle.append(connection)

    def take(self) -> Generator[Event, object, Connection | None]:
        """Return a connection, perhaps a closed one; None if the timeout ran out first, or the process has ended."""
        if not (yield from self._line.enter(self._timeout_s)):
            return None
        if self.disposed:
            self._line.leave()
            return None
        return self._idle.popleft() if self._idle else Connection()

    def is_open(self, connection: Connection) -> bool:
        """Whether the pool takes the connection to be good; the server may know better."""
        return connection.generation >= self._broken_before

    def open(self, connection: Connection, connect_s: float) -> Generator[Event, object, bool]:
        """Open a connection in ``connect_s``; return False if the server refuses or breaks off."""
        generation = yield from self.server.connect(connect_s)
        if generation is None:
            return False
        connection.generation, connection.known = generation, True
        return True

    def give_back(self, connection: Connection, *, broken: bool) -> None:
        """Take a connection back; a broken one says that all older ones are broken too."""
        if broken:
            self._broken_before = max(self._broken_before, self.server.generation)
            self._close(connection)
        if self.disposed:
            self._close(connection)
        elif connection.known and (len(self._idle) < self._size or self._line.queued):
            self._idle.append(connection)
        else:
            self._close(connection)
        self._line.leave()

    def dispose(self) -> None:
        """Close all connections: the process that kept them has ended."""
        self.disposed = True
        while self._idle:
            self._close(self._idle.popleft())

    def _close(self, connection: Connection) -> None:
        if connection.generation != _CLOSED:
            self.server.disconnect(connection.generation)
            connection.generation = _CLOSED
