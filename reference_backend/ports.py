"""Listening sockets on the loopback, bound once and inherited: no other process can take the port in between."""

from __future__ import annotations

import socket

from reference_backend.problems import BadInput

LOOPBACK = "127.0.0.1"
CONNECTIONS = 48
"""How many are opened to each place before the load comes; seldom are more requests under way there."""


def listening_socket(port: int = 0) -> socket.socket:
    """Return a bound, listening socket on the loopback; port 0 lets the kernel choose a free one.

    Raises:
        BadInput: the port is taken (or not allowed).
    """
    try:
        bound = bound_socket(port)
    except OSError as error:
        raise BadInput(
            f"port {port}",
            f"it cannot be listened on ({error.strerror})",
            why="the entry of the backend was asked to be there",
            do="end the program that holds it, or choose another with --entry-port (or none: a free one is taken)",
        ) from error
    bound.listen(2048)
    return bound


def bound_socket(port: int) -> socket.socket:
    """Return a socket that has a port on the loopback but does not listen: who connects is refused.

    Raises:
        OSError: the port is taken.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((LOOPBACK, port))
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound


def free_port() -> int:
    """Return a port that was free a moment ago; a server that cannot inherit a socket may yet lose it to another."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
