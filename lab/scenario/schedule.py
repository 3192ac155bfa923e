"""The schedule of requests: who asks for what, when. Both worlds are driven by it.

Arrivals are a Poisson process whose rate follows the scenario. The gaps are addressed draws in units of
expected arrivals, so a variant with another rate sees the same luck.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lab.distributions import discrete_quantiles
from lab.errors import Unsupported
from lab.randomness import Stream
from lab.scenario.scenario import Scenario
from lab.scenario.workload import Keys, UniformKeys, rate_points

_MOST_REQUESTS = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Requests in the order of their intended starts; request ``i`` is item ``i`` of each.

    Attributes:
        intended_start_s: shape (n,), not falling.
        endpoint: n names.
        key: shape (n,), each from 0.
    """

    intended_start_s: NDArray[np.float64]
    endpoint: tuple[str, ...]
    key: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.endpoint)


def draw_schedule(scenario: Scenario, *, seed: int, replication: int) -> Schedule:
    """Return the schedule of one replication: a pure function of scenario, seed and replication.

    Raises:
        Unsupported: the workload asks for more requests than one replication can hold.
    """
    workload = scenario.workload

    def stream(name: str) -> Stream:
        return Stream(seed=seed, replication=replication, name=name)

    points = rate_points(workload.arrival_rate, scenario.run.duration)
    starts = _arrival_times(points, stream("workload/arrivals"))
    count = len(starts)
    names = list(workload.endpoints)
    choose = discrete_quantiles(list(workload.endpoints.values()))
    endpoints = tuple(names[choose(u)] for u in stream("workload/endpoints").uniforms(count).tolist())
    return Schedule(
        intended_start_s=starts, endpoint=endpoints, key=_keys(workload.keys, stream("workload/keys"), count)
    )


def _arrival_times(points: list[tuple[float, float]], stream: Stream) -> NDArray[np.float64]:
    """Return the Poisson arrivals of a rate given by its corner points, by inverting its integral."""
    times_s, rates = (np.array(column) for column in zip(*points, strict=True))
    spans_s = np.diff(times_s)
    areas = spans_s * (rates[1:] + rates[:-1]) / 2
    ends = np.cumsum(areas)
    expected = float(ends[-1])
    if expected > _MOST_REQUESTS:
        raise Unsupported(
            f"workload.arrival_rate: {expected:,.0f} requests are expected in one replication, more than the "
            f"{_MOST_REQUESTS:,} that the lab simulates; shorten run.duration or scale the rate down"
        )
    enough = int(expected + 10 * math.sqrt(expected) + 20)
    gaps = [-math.log1p(-uniform) for uniform in stream.uniforms(enough).tolist()]
    passed = np.cumsum(gaps)
    passed = passed[passed < expected]
    segment = np.searchsorted(ends, passed, side="right")
    within = passed - np.concatenate(([0.0], ends))[segment]
    start, slope = rates[:-1][segment], np.diff(rates)[segment] / spans_s[segment]
    root = np.sqrt(np.maximum(start * start + 2 * slope * within, 0.0))
    arrivals: NDArray[np.float64] = times_s[:-1][segment] + 2 * within / (start + root)
    return arrivals


def _keys(keys: Keys, stream: Stream, count: int) -> NDArray[np.int64]:
    uniforms = stream.uniforms(count)
    if isinstance(keys, UniformKeys):
        return np.minimum((uniforms * keys.count).astype(np.int64), keys.count - 1)
    cumulative = _zipf_cumulative(keys.exponent, keys.count)
    ranks: NDArray[np.int64] = np.searchsorted(cumulative, uniforms * cumulative[-1], side="right")
    return np.minimum(ranks, keys.count - 1)


@lru_cache(maxsize=8)
def _zipf_cumulative(exponent: float, count: int) -> NDArray[np.float64]:
    weights = [rank**-exponent for rank in range(1, count + 1)]
    return np.cumsum(weights)
