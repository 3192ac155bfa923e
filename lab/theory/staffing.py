"""Square-root staffing: beyond the offered load, servers for its random ups and downs, which grow as its root.

With a + beta sqrt(a) servers for a erlangs the share that has to wait depends, for large systems, on beta alone:
twice the traffic needs less than twice the servers for the same service. The limit of M/M/c for many servers.

Source: Halfin and Whitt (1981), "Heavy-traffic limits for queues with many exponential servers", Operations
Research 29, 567-588.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from lab.errors import DomainError
from lab.theory import domain
from lab.theory.falling import reaches


def waiting_probability(*, beta: float) -> float:
    """Return the share of requests that wait with a + beta sqrt(a) servers: Halfin and Whitt's function.

    Args:
        beta: spare servers in units of the root of the offered load, 0 (all wait) or above.

    >>> round(waiting_probability(beta=1.0), 4)
    0.2234
    """
    spare = domain.non_negative(beta, name="beta")
    normal = NormalDist()
    density = normal.pdf(spare)
    if density == 0.0:  # 38 roots of the load and more: nobody waits
        return 0.0
    return 1.0 / (1.0 + spare * normal.cdf(spare) / density)


def beta(*, waiting_probability_max: float) -> float:
    """Return how many roots of the offered load are to spare so that at most the given share waits.

    Args:
        waiting_probability_max: strictly between 0 and 1.

    >>> round(beta(waiting_probability_max=0.5), 4)
    0.5061
    """
    most = domain.open_probability(waiting_probability_max, name="waiting_probability_max")
    return reaches(lambda spare: waiting_probability(beta=spare), level=most, scale=1.0)


def servers(*, offered_load: float, waiting_probability_max: float) -> int:
    """Return how many servers keep the share that waits at most so large, by the square-root rule.

    It is within a server or two of the exact ``erlang.servers_for_waiting`` even for small systems.

    Args:
        offered_load: arrival rate times mean service time, erlangs, above 0.
        waiting_probability_max: strictly between 0 and 1.

    >>> servers(offered_load=100.0, waiting_probability_max=0.2)
    111
    """
    asked = domain.positive(offered_load, name="offered_load")
    needed = asked + beta(waiting_probability_max=waiting_probability_max) * math.sqrt(asked)
    if needed >= 2**53:
        raise DomainError(f"offered_load is {asked:g} erlangs, too many to count single servers; give fewer")
    return max(math.ceil(needed), math.floor(asked) + 1)  # no fewer than have a steady state
