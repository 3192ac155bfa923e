"""Asymptotic bounds of a closed network: what no number of users, and no luck, can beat.

They hold for any distributions and any order of service. Few users are bound by the sum of the demands,
many by the busiest station; the two lines cross at the saturation population N*.

Source: Denning and Buzen (1978), "The operational analysis of queueing network models", Computing Surveys 10;
Lazowska, Zahorjan, Graham and Sevcik (1984), Quantitative System Performance, chapter 5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from lab.errors import DomainError
from lab.theory import domain
from lab.theory.closed_network import Station, require_work


def throughput_per_s_max(*, stations: Sequence[Station], population: int, think_time_s: float = 0.0) -> float:
    """Return the upper bound of the throughput: min(N / (D + Z), servers / demand at the busiest station).

    Args:
        stations: at least one.
        population: users, at least one.
        think_time_s: mean, 0 or above.

    >>> disks = [Station(demand_s=2.0), Station(demand_s=3.0), Station(demand_s=1.0)]
    >>> throughput_per_s_max(stations=disks, population=2, think_time_s=4.0)
    0.2
    """
    think = require_work(stations, think_time_s)
    users = domain.whole(population, name="population", at_least=1)
    alone_s = think + math.fsum(station.demand_s for station in stations)
    busiest_s = _busiest_s(stations)
    return min(users / alone_s, 1.0 / busiest_s if busiest_s > 0.0 else math.inf)


def sojourn_time_s_min(*, stations: Sequence[Station], population: int, think_time_s: float = 0.0) -> float:
    """Return the lower bound of the mean time in the network, max(D, N Dmax - Z). Arguments as above.

    >>> disks = [Station(demand_s=2.0), Station(demand_s=3.0), Station(demand_s=1.0)]
    >>> sojourn_time_s_min(stations=disks, population=20, think_time_s=4.0)
    56.0
    """
    think = require_work(stations, think_time_s)
    users = domain.whole(population, name="population", at_least=1)
    return max(math.fsum(station.demand_s for station in stations), users * _busiest_s(stations) - think)


def saturation_population(*, stations: Sequence[Station], think_time_s: float = 0.0) -> float:
    """Return N*, the number of users above which some are bound to wait for each other.

    Args:
        stations: at least one, of which one can saturate.
        think_time_s: mean, 0 or above.

    Raises:
        DomainError: nothing can saturate: there are but delays, or demands of 0.

    >>> disks = [Station(demand_s=2.0), Station(demand_s=3.0), Station(demand_s=1.0)]
    >>> round(saturation_population(stations=disks, think_time_s=4.0), 4)
    3.3333
    """
    think = require_work(stations, think_time_s)
    busiest_s = _busiest_s(stations)
    if busiest_s == 0.0:
        raise DomainError(
            "stations has no servers with a demand above 0, so no number of users saturates it; "
            "give a Station with servers"
        )
    return (think + math.fsum(station.demand_s for station in stations)) / busiest_s


def _busiest_s(stations: Sequence[Station]) -> float:
    """Return the largest demand on one server; 0 if there are but delays."""
    return max(0.0 if station.servers is None else station.demand_s / station.servers for station in stations)
