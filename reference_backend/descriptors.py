"""File descriptors: each connection takes one at either end, and a shell's usual limit of 1024 is soon used up."""

from __future__ import annotations

import resource

from reference_backend.problems import BadInput

# What HAProxy holds besides connections: listeners, health checks, logs, its runtime socket, and room for more.
_ASIDE = 200
_MOST_CONNECTIONS = 4000
_LEAST_CONNECTIONS = 100


def raise_limit() -> int:
    """Raise this process's limit as far as it may go by itself, and return it; children inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def balancer_connections(limit: int) -> int:
    """Return how many connections HAProxy may hold within a limit of descriptors; each takes two of them.

    >>> balancer_connections(1024), balancer_connections(20_000)
    (412, 4000)

    Raises:
        BadInput: they would be too few for any measurement.
    """
    if limit == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS
    connections = min(_MOST_CONNECTIONS, (limit - _ASIDE) // 2)
    if connections < _LEAST_CONNECTIONS:
        raise BadInput(
            "open files",
            f"the hard limit of {limit} file descriptors leaves HAProxy {max(0, connections)} connections",
            why=f"with fewer than {_LEAST_CONNECTIONS}, the limit of the process would be measured and not the backend",
            do=f"raise it to {2 * _LEAST_CONNECTIONS + _ASIDE} or more (`ulimit -Hn`, or the container's nofile limit)",
        )
    return connections
