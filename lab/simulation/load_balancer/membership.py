"""Keeps the servers of a balancer in step with the processes of the fleet that it balances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from lab.simulation.clock import Clock
from lab.simulation.fleet import Life, Member
from lab.simulation.log import Log


class Enlisted(Protocol):
    """What a balancer knows of one server, whatever else it knows."""

    member: Member
    slot: int


ServerT = TypeVar("ServerT", bound=Enlisted)
KeptT_contra = TypeVar("KeptT_contra", contravariant=True)


class Roster(Protocol[KeptT_contra]):
    """Where a balancer keeps its servers."""

    def add(self, server: KeptT_contra) -> None:
        """Take a server into service."""
        ...

    def drain(self, server: KeptT_contra) -> None:
        """Send a server nothing new."""
        ...

    def remove(self, server: KeptT_contra) -> None:
        """Forget a server that is drained and done."""
        ...


class Membership(Generic[ServerT]):
    """What the operator's tool tells the balancer through its runtime API as processes come and go.

    ::

        ready, new ----------------> server added
        ready, replaces another ---> the same server, counts and all: only the process at its address is another
        draining ------------------> nothing new goes there; who waits for it chooses anew
        gone after draining -------> server removed
        gone without warning ------> nobody tells the balancer: the server stays in rotation until a check fails

    Args:
        new_server: makes a server from the process and its slot.

    Attributes:
        added: all called with each server that is added while the balancer runs, before anything is sent there.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        log: Log,
        name: str,
        backend: Roster[ServerT],
        new_server: Callable[[Member, int], ServerT],
    ) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._backend = backend
        self._new_server = new_server
        self._servers: dict[Member, ServerT] = {}
        self._draining: set[Member] = set()
        self._slots = 0
        self.added: list[Callable[[ServerT], None]] = []

    def start(self, members: list[Member]) -> None:
        """Put the first processes into service."""
        for member in members:
            self._backend.add(self._enlist(member))

    def follow(self, member: Member) -> None:
        """Do what the new state of a process asks for."""
        server = self._servers.get(member)
        match member.life:
            case Life.READY:
                self._come(member)
            case Life.DRAINING if server is not None:
                self._draining.add(member)
                self._backend.drain(server)
                self._note("server_draining", server)
            case Life.GONE if server is not None and member in self._draining:
                self._backend.remove(server)
                del self._servers[member]
                self._draining.remove(member)
                self._note("server_removed", server)
            case _:
                pass

    def _come(self, member: Member) -> None:
        before = member.replaces
        while before is not None and before not in self._servers:
            before = before.replaces
        if before is None:
            server = self._enlist(member)
            for told in self.added:
                told(server)
            self._backend.add(server)
            self._note("server_added", server)
        else:
            server = self._servers.pop(before)
            server.member = member
            self._servers[member] = server
            self._note("server_replaced", server)

    def _enlist(self, member: Member) -> ServerT:
        server = self._servers[member] = self._new_server(member, self._slots)
        self._slots += 1
        return server

    def _note(self, kind: str, server: ServerT) -> None:
        self._log.event(self._name, kind, self._clock.now, server=server.slot, replica=server.member.index)
