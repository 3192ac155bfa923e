"""Which connections clients have open: over HTTP/1.1 for one request at a time, over HTTP/2 for all of a client's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.gone import Gone
from lab.simulation.network.accepting import Accepting
from lab.simulation.request import Outcome, Request


class Connection:
    """A connection that was opened.

    Attributes:
        closed: whether it is not open any more; where the entry's limit has to know at once.
        generation: how often all connections had been closed when it was opened.
        streams: requests under way on it.
        idle_since_s: when the last of them ended.
    """

    __slots__ = ("closed", "generation", "idle_since_s", "streams")

    def __init__(self, generation: int) -> None:
        self.closed = False
        self.generation = generation
        self.streams = 1
        self.idle_since_s = 0.0


class Pool(Protocol):
    """The connections of all clients."""

    def take(self, request: Request) -> Connection | None:
        """Return an open connection of the request's client for it, or None if it has to open one."""
        ...

    def opened(self, request: Request) -> Connection:
        """Return a new connection, which the request is on."""
        ...

    def give_back(self, request: Request, connection: Connection, outcome: Outcome) -> None:
        """Let a connection be used again, its request answered so, or given up."""
        ...

    def close_all(self) -> None:
        """Close every connection, those in use when they are no longer."""
        ...


class Kept:
    """What both kinds share: whose a connection is, how long it stays, and whether the first attempt finds one.

    Args:
        client_of: whose request it is, by its number.
        found: whether a client that comes once finds a connection open; None: clients come again and open their own.
        accepting: the entry's limit, which is told of every connection that closes; None: there is no limit.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        keep_alive_s: float,
        client_of: Callable[[int], int],
        found: Callable[[Request], bool] | None,
        accepting: Accepting | None,
    ) -> None:
        self._clock = clock
        self._keep_alive_s = keep_alive_s
        self.client_of = client_of
        self._found = found
        self._accepting = accepting
        self._generation = 0
        self._open: dict[Connection, None] = {}  # in the order in which they were opened; only under a limit

    def new(self) -> Connection:
        """Return a connection that is opened now."""
        connection = Connection(self._generation)
        if self._accepting is not None:
            self._open[connection] = None
        return connection

    def is_found(self, request: Request) -> bool:
        """Tell whether this is the first attempt of a client that finds a connection open."""
        return request.attempt == 0 and self._found is not None and self._found(request)

    def is_last(self, outcome: Outcome) -> bool:
        """Tell whether the client, which comes once, has got what it came for and needs no connection any more."""
        return self._found is not None and outcome is Outcome.OK

    def is_open(self, connection: Connection) -> bool:
        """Tell whether a connection can still be used."""
        if connection.closed or connection.generation != self._generation:
            return False
        return connection.streams > 0 or self._clock.now - connection.idle_since_s < self._keep_alive_s

    def leave(self, connection: Connection) -> None:
        """Note that a request on it has ended; the last one lets it idle, or close if all were to."""
        connection.streams -= 1
        connection.idle_since_s = since_s = self._clock.now
        if self._accepting is None or connection.streams > 0:
            return
        if connection.generation != self._generation:
            self.close(connection)
        else:
            Timer(self._clock, self._keep_alive_s, Order.EXPIRY, lambda _: self._expire(connection, since_s))

    def close(self, connection: Connection) -> None:
        """Close a connection."""
        if self._accepting is not None and not connection.closed:
            del self._open[connection]
            self._accepting.release()
        connection.closed = True

    def close_all(self) -> None:
        """Close everything that is open now."""
        self._generation += 1
        for connection in [each for each in self._open if each.streams == 0]:
            self.close(connection)

    def _expire(self, connection: Connection, since_s: float) -> None:
        if connection.streams == 0 and connection.idle_since_s == since_s:
            self.close(connection)


class ExclusivePool:
    """HTTP/1.1: a request has a connection to itself.

    ::

        open it --> in use --answered--> idle --keep-alive over, or all are closed--> closed
                      ^  |                |
                      |  `--given up--> closed
                      `-------------------+  the latest idle one first
    """

    def __init__(self, kept: Kept, gone: Gone) -> None:
        self._kept = kept
        self._gone = gone
        self._idle: dict[int, list[Connection]] = {}

    def take(self, request: Request) -> Connection | None:
        """Return the client's idle connection that was used last, if it is still open."""
        if self._kept.is_found(request):
            return self._kept.new()
        idle = self._idle.get(self._kept.client_of(request.number))
        if idle:
            connection = idle.pop()
            if self._kept.is_open(connection):
                connection.streams = 1
                return connection
            idle.clear()  # the others have been idle for longer
        return None

    def opened(self, request: Request) -> Connection:
        """Return a connection for this request alone."""
        return self._kept.new()

    def give_back(self, request: Request, connection: Connection, outcome: Outcome) -> None:
        """Let it idle; one whose client gave up is closed."""
        if self._gone.since(request) is not None:
            self._kept.close(connection)
            return
        self._kept.leave(connection)
        if not self._kept.is_last(outcome):
            self._idle.setdefault(self._kept.client_of(request.number), []).append(connection)

    def close_all(self) -> None:
        """Close the idle ones, and those in use when they are idle."""
        self._kept.close_all()


class SharedPool:
    """HTTP/2: all requests of a client are streams of one connection; giving one up closes nothing else.

    ::

        open it --> in use by one or more --the last one ended--> idle --keep-alive over, or all are closed--> closed
                      ^                                            |
                      +--------------------------------------------+
    """

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._of: dict[int, Connection] = {}

    def take(self, request: Request) -> Connection | None:
        """Return the client's connection if it is open."""
        client = self._kept.client_of(request.number)
        if self._kept.is_found(request):
            connection = self._of[client] = self._kept.new()
            return connection
        found = self._of.get(client)
        if found is None or not self._kept.is_open(found):
            return None
        found.streams += 1
        return found

    def opened(self, request: Request) -> Connection:
        """Return a new connection, which later requests of the client use too."""
        connection = self._of[self._kept.client_of(request.number)] = self._kept.new()
        return connection

    def give_back(self, request: Request, connection: Connection, outcome: Outcome) -> None:
        """End the request's stream."""
        self._kept.leave(connection)
        if self._kept.is_last(outcome):
            self._of.pop(self._kept.client_of(request.number), None)

    def close_all(self) -> None:
        """Close all; requests that are under way end on the old ones."""
        self._kept.close_all()
