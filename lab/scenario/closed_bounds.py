"""The most that a closed population can get: asymptotic bounds of operational analysis.

Source: Denning and Buzen (1978), "The operational analysis of queueing network models", ACM Computing Surveys 10(3).
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.distributions import mean_s
from lab.scenario.crossing import network_time_s
from lab.scenario.hits import hit_ratios
from lab.scenario.places import Place, servers
from lab.scenario.scenario import Scenario
from lab.scenario.visits import visits
from lab.scenario.workload import ClosedWorkload

_MOST_ROUNDS = 50
_SETTLED = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedBounds:
    """What a population can ask for at most, and which part keeps it from more.

    Attributes:
        population: N, the number of users.
        think_time_s: Z, the mean; where users go offline, the mean time between their requests if nobody waits.
        response_time_s: R, from asking to the answer if nobody waits.
        bottleneck: the place that the fewest requests fill; None if nothing is limited.
        capacity_per_s: requests that fill it, 1 / Dmax; None if nothing is limited.
    """

    population: int
    think_time_s: float
    response_time_s: float
    bottleneck: Place | None
    capacity_per_s: float | None

    @property
    def unhindered_per_s(self) -> float:
        """Requests if nobody ever waited: N / (R + Z)."""
        return self.population / (self.response_time_s + self.think_time_s)

    @property
    def throughput_per_s(self) -> float:
        """The upper bound of the throughput: min(N / (R + Z), 1 / Dmax)."""
        return min(self.unhindered_per_s, self.capacity_per_s or self.unhindered_per_s)

    @property
    def saturation_population(self) -> float | None:
        """N*, the users beyond which some must wait; None if nothing is limited."""
        if self.capacity_per_s is None:
            return None
        return (self.response_time_s + self.think_time_s) * self.capacity_per_s


def closed_bounds(scenario: Scenario) -> ClosedBounds:
    """Return the bounds of a scenario with a closed workload, its caches as warm as theory has them.

    Assumes that every request makes one attempt and is served: users who are turned away, or give up, ask more often.
    """
    workload = scenario.workload
    assert isinstance(workload, ClosedWorkload)
    ratios: dict[str, float] = {}
    rate_per_s = 0.0
    # How often a cache with a time to live is hit hangs on the rate, and the rate on the hits.
    for _ in range(_MOST_ROUNDS):
        bounds = _bounds(scenario, workload, ratios)
        if abs(bounds.throughput_per_s - rate_per_s) <= _SETTLED * bounds.throughput_per_s:
            break
        rate_per_s = bounds.throughput_per_s
        ratios = hit_ratios(scenario, rate_per_s)
    return bounds


def _bounds(scenario: Scenario, workload: ClosedWorkload, ratios: dict[str, float]) -> ClosedBounds:
    seen = visits(scenario, hit_ratios=ratios)
    limits = {place: servers(scenario, place) for place in seen.time_s}
    full = {place: limit / seen.time_s[place] for place, limit in limits.items() if limit and seen.time_s[place] > 0}
    bottleneck = min(full, key=lambda place: full[place], default=None)
    return ClosedBounds(
        population=workload.population,
        think_time_s=workload.pause_s_mean,
        response_time_s=seen.response_time_s + mean_s(scenario.client.round_trip) + network_time_s(scenario),
        bottleneck=bottleneck,
        capacity_per_s=None if bottleneck is None else full[bottleneck],
    )
