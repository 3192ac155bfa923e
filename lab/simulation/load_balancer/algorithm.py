"""What every way of choosing a server has in common."""

from __future__ import annotations

from typing import Protocol

from lab.simulation.load_balancer.server import Server
from lab.simulation.request import Request


class Algorithm(Protocol):
    """Chooses a server for each request, and is told of everything that may change the choice."""

    def choose(self, request: Request, avoid: Server | None = None) -> Server | None:
        """Return a server, or None where the request must wait for whichever is free first.

        A server that is full may be returned: then the request waits for that very server.

        Args:
            request: what is to be sent.
            avoid: a server that failed this request, not to be taken again if there is another.
        """
        ...

    def counted(self, server: Server) -> None:
        """Take note that the numbers under way or in the queue of a server have changed, or might have."""
        ...

    def changed(self, server: Server) -> None:
        """Take note that a server is new, or has come or gone, or has another weight or limit."""
        ...
