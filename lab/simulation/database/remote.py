"""A database server as one service reaches it over a wire that a fault may cut."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from simpy.events import Event

from lab.simulation.database.server import Server
from lab.simulation.link import Linked
from lab.simulation.request import Handling, Request


class Reachable(Protocol):
    """What a pool needs of a server."""

    @property
    def generation(self) -> int:
        """How often it has crashed."""
        ...

    def accept(self) -> bool:
        """Take one more connection, if it can."""
        ...

    def connect(self, connect_s: float) -> Generator[Event, object, int | None]:
        """Open a connection."""
        ...

    def disconnect(self, generation: int) -> None:
        """Close a connection."""
        ...

    def reach(self, request: Request, work: Handling) -> Handling:
        """Have work done at the server."""
        ...


class RemoteServer:
    """Passes on what a pool asks of a server, when the wire is whole; the connection is held meanwhile.

    Closing a connection needs no answer, and the pool's view of broken connections none either.
    """

    def __init__(self, *, server: Server, link: Linked) -> None:
        self._server = server
        self._link = link

    @property
    def generation(self) -> int:
        """How often the server has crashed."""
        return self._server.generation

    def accept(self) -> bool:
        """Take one more connection, if it can."""
        return self._server.accept()

    def connect(self, connect_s: float) -> Generator[Event, object, int | None]:
        """Open a connection; the wait for the wire is part of what opening it costs."""
        yield from self._link.reach()
        generation = yield from self._server.connect(connect_s)
        yield from self._link.reach()
        return generation

    def disconnect(self, generation: int) -> None:
        """Close a connection."""
        self._server.disconnect(generation)

    def reach(self, request: Request, work: Handling) -> Handling:
        """Have work done at the server; what waits for the wire, there or back, has a row."""
        yield from self._link.cross(request, "there")
        outcome = yield from work
        yield from self._link.cross(request, "back")
        return outcome
