"""Connections that are open before the load comes, as they are where traffic is steady.

A busy uvicorn reads what comes on a new connection turns of its event loop later than what comes on one that it knows:
requests that came later overtake it, and whoever is overtaken is the slowest of all.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack

from reference_backend.backend import Backend
from reference_backend.limit import HEALTH_PATH
from reference_backend.ports import CONNECTIONS, LOOPBACK
from reference_backend.problems import PartFailed

_ANSWER_S = 10.0


def fill(backend: Backend) -> None:
    """Have each load balancer open connections to its replicas, by asking for more at once than they answer at once.

    Raises:
        PartFailed: one is not answered.
    """
    for name in backend.deployment.load_balancers():
        _ask_at_once(name, backend.parts.ports[name])


def _ask_at_once(name: str, port: int) -> None:
    try:
        with ExitStack() as opened:
            place = (LOOPBACK, port)
            asking = [
                opened.enter_context(socket.create_connection(place, timeout=_ANSWER_S)) for _ in range(CONNECTIONS)
            ]
            for number, connection in enumerate(asking):
                head = f"GET {HEALTH_PATH}?key={number} HTTP/1.1\r\nHost: warm-up\r\nX-Request: -1\r\n\r\n"
                connection.sendall(head.encode())
            for connection in asking:
                if not connection.recv(1):
                    raise ConnectionAbortedError("it closed one without an answer")
    except OSError as error:
        raise PartFailed(
            name,
            f"it does not answer {CONNECTIONS} connections at once ({error})",
            why="the connections that the load uses would be opened while it is measured",
            do="look into its log for the reason",
        ) from error
