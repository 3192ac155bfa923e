"""Which client sent a request, in the workloads whose clients come more than once."""

from __future__ import annotations

from typing import assert_never

from lab.scenario.workload import ClosedWorkload, OpenWorkload, ReplayWorkload, SessionsWorkload, Workload


def knows_clients(workload: Workload) -> bool:
    """Return whether requests of one client can be told from those of another: no client of an open one comes twice."""
    return isinstance(workload, ClosedWorkload | SessionsWorkload)


def client_of(workload: Workload, number: int) -> int:
    """Return the number of the client that sent request ``number``: a user, a session, or the request itself.

    Not of a schedule that another Run was sent: its requests are counted as they come.

    >>> client_of(ClosedWorkload(kind="closed", population=3, think_time="1s", endpoints={"get": "100%"}), 7)
    1
    """
    match workload:
        case ClosedWorkload():
            return number % workload.population
        case SessionsWorkload():
            return number // workload.longest
        case OpenWorkload() | ReplayWorkload():
            return number
        case _:
            assert_never(workload)
