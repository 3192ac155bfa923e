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
from reference_backend.references import walk

_ANSWER_S = 10.0


def fill(backend: Backend) -> None:
    """Have load balancers and services open their connections, by asking more of them at once than they answer at once.

    Raises:
        PartFailed: one does not answer.
    """
    for name, service in backend.deployment.services().items():
        for endpoint, spec in service.endpoints.items():
            if any(step.kind == "call" for _, step in walk(spec.steps, "")):
                for port in backend.parts.replica_ports[name].values():
                    _ask_at_once(name, port, spec.method, f"/{endpoint}")
    for name in backend.deployment.load_balancers():
        _ask_at_once(name, backend.parts.ports[name], "GET", HEALTH_PATH)


def _ask_at_once(name: str, port: int, method: str, path: str) -> None:
    try:
        with ExitStack() as opened:
            place = (LOOPBACK, port)
            asking = [
                opened.enter_context(socket.create_connection(place, timeout=_ANSWER_S)) for _ in range(CONNECTIONS)
            ]
            for key, connection in enumerate(asking):
                heads = (f"{method} {path}?key={key} HTTP/1.1", "Host: warm-up", "Content-Length: 0", "X-Request: -1")
                connection.sendall(("\r\n".join(heads) + "\r\n\r\n").encode())
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
