"""The schedule of requests: who asks for what, when. Both worlds are driven by it.

What comes by chance is a Poisson process whose rate follows the scenario. The gaps are addressed draws in units of
expected arrivals, so a variant with another rate sees the same luck. A herd has its own draws beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from lab.distributions import discrete_quantiles
from lab.errors import Unsupported
from lab.randomness import Stream
from lab.scenario.arrivals import ArrivalRate, Points, arrivals_expected, bursts, chance_points, cut, herds, sum_of
from lab.scenario.burst_draws import hawkes_arrivals, modulated_points
from lab.scenario.bursts import HawkesRate, ModulatedRate
from lab.scenario.key_draws import key_draws
from lab.scenario.recording import recording_of
from lab.scenario.scenario import Scenario
from lab.scenario.workload import OpenWorkload, ReplayWorkload

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
        Unsupported: the workload asks for more requests than one replication can hold, or when its clients ask depends
            on the answers that they get.
        ScenarioError: a recording cannot be read.
    """
    workload = scenario.workload

    def stream(name: str) -> Stream:
        return Stream(seed=seed, replication=replication, name=name)

    if isinstance(workload, ReplayWorkload):
        recorded = recording_of(scenario)
        return Schedule(intended_start_s=recorded.intended_start_s, endpoint=recorded.endpoint, key=recorded.key)
    if not isinstance(workload, OpenWorkload):
        raise Unsupported(
            f"workload.kind: in a {workload.kind} workload the answers decide when clients ask again, so there is no "
            "schedule before the run; use an open or a replay workload"
        )
    starts = draw_arrivals(workload.arrival_rate, scenario.run.duration, stream)
    names = list(workload.endpoints)
    choose = discrete_quantiles(list(workload.endpoints.values()))
    endpoints = tuple(names[choose(u)] for u in stream("workload/endpoints").uniforms(len(starts)).tolist())
    return Schedule(intended_start_s=starts, endpoint=endpoints, key=key_draws(workload.keys, stream).column(starts))


def draw_arrivals(rate: ArrivalRate, duration_s: float, stream: Callable[[str], Stream]) -> NDArray[np.float64]:
    """Return the arrivals before ``duration_s`` in order, shape (n,).

    Args:
        rate: how they run over time.
        duration_s: length of the run.
        stream: gives the stream of a name.

    Raises:
        Unsupported: more than one replication can hold.
    """
    expected = arrivals_expected(rate, duration_s)
    if expected > _MOST_REQUESTS:
        raise Unsupported(
            f"workload.arrival_rate: {expected:,.0f} requests are expected in one replication, more than the "
            f"{_MOST_REQUESTS:,} that the lab simulates; shorten run.duration or scale the rate down"
        )
    changing, crowds = [chance_points(rate, duration_s)], []
    for number, burst in enumerate(bursts(rate)):
        match burst:
            case ModulatedRate():
                drawn = modulated_points(burst, duration_s, stream(f"workload/modulated/{number}"))
                changing.append(cut(drawn, duration_s))
            case HawkesRate():
                crowds.append(hawkes_arrivals(burst, duration_s, stream(f"workload/hawkes/{number}")))
            case _:
                assert_never(burst)
    for number, herd in enumerate(herds(rate)):
        crowds.append(herd.at + herd.jitter * stream(f"workload/herd/{number}").uniforms(herd.clients))
    starts = _arrival_times(sum_of(changing, duration_s), stream("workload/arrivals"))
    if not crowds:
        return starts
    every = np.concatenate([starts, *crowds])
    return np.sort(every[every < duration_s])


def _arrival_times(points: Points, stream: Stream) -> NDArray[np.float64]:
    """Return the Poisson arrivals of a rate given by its corner points, by inverting its integral."""
    times_s, rates = (np.array(column) for column in zip(*points, strict=True))
    spans_s = np.diff(times_s)
    areas = spans_s * (rates[1:] + rates[:-1]) / 2
    ends = np.cumsum(areas)
    expected = float(ends[-1])
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
