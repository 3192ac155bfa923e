"""Mean value analysis: a closed network with one server at each station, exactly, one user after another.

Who arrives at a station finds there on average what the network with one user fewer has there at any time
(the arrival theorem). So the figures for n users follow from those for n - 1, all by sums of positive terms.

Source: Reiser and Lavenberg (1980), "Mean-value analysis of closed multichain queuing networks", Journal of
the ACM 27; Lazowska, Zahorjan, Graham and Sevcik (1984), Quantitative System Performance, chapter 6.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lab.errors import Unsupported
from lab.theory import domain
from lab.theory.closed_network import ClosedNetwork, Station, require_work


def solve(*, stations: Sequence[Station], population: int, think_time_s: float = 0.0) -> ClosedNetwork:
    """Return throughput, times and numbers of a closed network of single servers and delays.

    Args:
        stations: at least one; ``servers`` of 1, or None for a delay.
        population: users, at least one.
        think_time_s: mean, 0 or above.

    Raises:
        Unsupported: a station with several servers; ``lab.theory.convolution`` solves those.
        DomainError: no station, or nothing takes time.

    >>> found = solve(stations=[Station(demand_s=2.0), Station(demand_s=3.0), Station(demand_s=1.0)],
    ...               population=2, think_time_s=4.0)
    >>> round(found.throughput_per_s, 4), round(found.sojourn_time_s_mean, 4)
    (0.1754, 7.4)
    """
    think = require_work(stations, think_time_s)
    for index, station in enumerate(stations):
        if station.servers not in (1, None):
            raise Unsupported(
                f"stations[{index}] has {station.servers} servers, but mean values alone do not tell how many of "
                "them are free; use lab.theory.convolution.solve, which is exact for any number of servers"
            )
    demands = np.array([station.demand_s for station in stations], dtype=np.float64)
    queues = np.array([station.servers is not None for station in stations])
    numbers = np.zeros(len(stations))
    residences, throughput = demands, 0.0
    for users in range(1, domain.whole(population, name="population", at_least=1) + 1):
        residences = demands * (1.0 + np.where(queues, numbers, 0.0))
        throughput = users / (think + float(residences.sum()))
        numbers = throughput * residences
    return ClosedNetwork(
        throughput_per_s=throughput,
        sojourn_time_s_mean=float(residences.sum()),
        residence_times_s=tuple(residences.tolist()),
        numbers_mean=tuple(numbers.tolist()),
    )
