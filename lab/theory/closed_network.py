"""A closed network: a fixed number of users who think, pass through stations, and think again.

Stations have exponential services in order of arrival, or shared equally among those present; delay stations
and think times may have any distribution. Then the mean figures need of each station only its demand: visits
per cycle times mean service time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.errors import DomainError
from lab.theory import domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """One station of a closed network.

    Attributes:
        demand_s: visits per cycle times mean service time of a visit, 0 or above.
        servers: how many serve there; None where nobody ever waits for another (a delay).
    """

    demand_s: float
    servers: int | None = 1

    def __post_init__(self) -> None:
        domain.non_negative(self.demand_s, name="demand_s")
        if self.servers is not None:
            domain.whole(self.servers, name="servers", at_least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedNetwork:
    """The mean figures of a closed network.

    Attributes:
        throughput_per_s: cycles that all users together complete.
        sojourn_time_s_mean: from the end of one think time to the begin of the next.
        residence_times_s: the part of it spent at each station, over all visits of a cycle.
        numbers_mean: users at each station; the others think.
    """

    throughput_per_s: float
    sojourn_time_s_mean: float
    residence_times_s: tuple[float, ...]
    numbers_mean: tuple[float, ...]


def require_work(stations: Sequence[Station], think_time_s: float) -> float:
    """Return the think time if a cycle of these stations takes any time.

    Raises:
        DomainError: no station, a negative think time, or nothing takes time: then cycles have no rate.
    """
    think = domain.non_negative(think_time_s, name="think_time_s")
    if not stations:
        raise DomainError("stations is empty, but users must have somewhere to go; give at least one Station")
    if think == 0.0 and all(station.demand_s == 0.0 for station in stations):
        raise DomainError(
            "stations have demands of 0 s and users do not think, so a cycle takes no time and its rate is "
            "infinite; give a demand or a think time above 0"
        )
    return think
