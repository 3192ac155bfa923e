"""The entry as clients reach it on connections that they open and keep."""

from __future__ import annotations

from lab.simulation.network.connections import Pool
from lab.simulation.network.opening import Opening
from lab.simulation.request import Handling, Outcome, Part, Request


class OnConnections:
    """Sends each attempt on an open connection of its client, or opens one first.

    ::

        open one of the client's? --no--> open it --client still there--> send, receive --> give the connection back
                    | yes                   | error, or given up              ^
                    |                       `--> nothing is sent              |
                    +---------------------------------------------------------+
    """

    def __init__(self, *, pool: Pool, opening: Opening, network: Part) -> None:
        self._pool = pool
        self._opening = opening
        self._network = network

    def handle(self, request: Request) -> Handling:
        """Carry a request to the entry, and the answer back."""
        connection = self._pool.take(request)
        if connection is None:
            opened = yield from self._opening.handle(request)
            if opened is not Outcome.OK:
                return opened
            connection = self._pool.opened(request)
        outcome = yield from self._network.handle(request)
        self._pool.give_back(request, connection, outcome)
        return outcome
