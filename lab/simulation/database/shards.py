"""A database whose keys are divided among several servers, as one process sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from lab.simulation.request import Handling, Part, Request

Client = TypeVar("Client", bound=Part)


class Shards(Generic[Client]):
    """Sends each request to the shard of its key, through this process's pool of connections to that shard."""

    def __init__(self, *, clients: tuple[Client, ...], shard_of: Callable[[int], int]) -> None:
        self._clients = clients
        self._shard_of = shard_of

    def of(self, request: Request) -> Client:
        """Return the way to the shard of the request's key."""
        return self._clients[self._shard_of(request.key)]

    def handle(self, request: Request) -> Handling:
        """Do one statement."""
        return self.of(request).handle(request)
