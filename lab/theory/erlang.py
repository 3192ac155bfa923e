"""Erlang's formulas: what share of arrivals finds all servers busy, and how many servers keep it small.

In a loss system (M/G/c/c, formula B) they are turned away, in a delay system (M/M/c, formula C) they wait.

Source: Erlang (1917); Gross, Shortle, Thompson and Harris (2008), Fundamentals of Queueing Theory,
4th ed., chapter 2.
"""

from __future__ import annotations

from lab.errors import DomainError, Unstable
from lab.theory import domain

_MOST_OFFERED = 1e7  # erlangs; keeps the search for a number of servers, one step a server, within seconds


def blocking_probability(*, offered_load: float, servers: int) -> float:
    """Return the share of arrivals turned away by ``servers`` that have no queue (Erlang B).

    Holds for any distribution of the service time. By the recursion
    B(0) = 1, B(k) = a B(k-1) / (k + a B(k-1)), in which no factorial overflows.

    Args:
        offered_load: arrival rate times mean service time, erlangs, 0 or above.
        servers: at least one.

    >>> round(blocking_probability(offered_load=5.0, servers=10), 4)
    0.0184
    """
    asked = domain.non_negative(offered_load, name="offered_load")
    blocked = 1.0
    for count in range(1, domain.whole(servers, name="servers", at_least=1) + 1):
        blocked = _with_one_more(asked, blocked, count)
    return blocked


def waiting_probability(*, offered_load: float, servers: int) -> float:
    """Return the share of arrivals that find all servers busy and wait (Erlang C).

    Args:
        offered_load: arrival rate times mean service time, erlangs, 0 or above, below ``servers``.
        servers: at least one.

    Raises:
        Unstable: as much is offered as the servers can do, or more.

    >>> round(waiting_probability(offered_load=1.6, servers=2), 4)
    0.7111
    """
    blocked = blocking_probability(offered_load=offered_load, servers=servers)
    if offered_load >= servers:
        raise Unstable(
            f"{offered_load:g} erlangs offered to {servers} servers: utilisation "
            f"{offered_load / servers:g}; the queue grows without bound; offer less or add servers"
        )
    return _waits(offered_load, blocked, servers)


def servers_for_blocking(*, offered_load: float, blocking_probability_max: float) -> int:
    """Return the fewest servers without a queue that turn away at most the given share.

    Args:
        offered_load: erlangs, from 0 to 1e7.
        blocking_probability_max: strictly between 0 and 1.

    >>> servers_for_blocking(offered_load=5.0, blocking_probability_max=0.02)
    10
    """
    asked = _searchable(offered_load)
    most = domain.open_probability(blocking_probability_max, name="blocking_probability_max")
    servers, blocked = 1, _with_one_more(asked, 1.0, 1)
    while blocked > most:
        servers += 1
        blocked = _with_one_more(asked, blocked, servers)
    return servers


def servers_for_waiting(*, offered_load: float, waiting_probability_max: float) -> int:
    """Return the fewest servers with a common queue at which at most the given share has to wait.

    Args:
        offered_load: erlangs, from 0 to 1e7.
        waiting_probability_max: strictly between 0 and 1.

    >>> servers_for_waiting(offered_load=10.0, waiting_probability_max=0.2)
    14
    """
    asked = _searchable(offered_load)
    most = domain.open_probability(waiting_probability_max, name="waiting_probability_max")
    servers, blocked = 1, _with_one_more(asked, 1.0, 1)
    while asked >= servers or _waits(asked, blocked, servers) > most:
        servers += 1
        blocked = _with_one_more(asked, blocked, servers)
    return servers


def _with_one_more(asked: float, blocked: float, count: int) -> float:
    """Return what ``count`` servers turn away if one fewer turn away ``blocked``."""
    return asked * blocked / (count + asked * blocked)


def _waits(asked: float, blocked: float, servers: int) -> float:
    return blocked / (1.0 - asked / servers * (1.0 - blocked))


def _searchable(offered_load: float) -> float:
    asked = domain.non_negative(offered_load, name="offered_load")
    if asked > _MOST_OFFERED:
        raise DomainError(
            f"offered_load is {asked:g} erlangs, but the search goes server by server and ends at "
            f"{_MOST_OFFERED:g}; use lab.theory.staffing, which is exact enough at that size"
        )
    return asked
