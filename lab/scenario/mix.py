"""What the mean client asks for: which endpoints how often, about which keys, and how fast."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, assert_never

from lab.scenario.arrivals import Points, arrivals_expected, rate_points
from lab.scenario.keys import CellKeys, HotKey, Keys, UniformKeys, ZipfKeys
from lab.scenario.recording import recording_of
from lab.scenario.workload import ClosedWorkload, OpenWorkload, ReplayWorkload, SessionsWorkload, Workload
from lab.theory import zipf

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lab.scenario.scenario import Scenario

_REPLAY_BIN_S = 1.0


def named_endpoints(workload: Workload) -> list[str]:
    """Return the endpoints that the scenario itself names; those of a recording stand in its file."""
    match workload:
        case OpenWorkload():
            return list(workload.endpoints)
        case ClosedWorkload():
            return list(_closed_mix(workload))
        case SessionsWorkload():
            every = (each.endpoint for journey in workload.journeys.values() for each in journey.requests)
            return list(dict.fromkeys(every))
        case ReplayWorkload():
            return []
        case _:
            assert_never(workload)


def named_keys(workload: Workload) -> int | None:
    """Return how many keys the scenario itself names; None where a recording tells."""
    return None if isinstance(workload, ReplayWorkload) else workload.keys.count


def request_mix(scenario: Scenario) -> dict[str, float]:
    """Return the share of each endpoint among the requests; of sessions, if every journey is made to its end.

    Raises:
        ScenarioError: a recording cannot be read.
    """
    workload = scenario.workload
    match workload:
        case OpenWorkload():
            return dict(workload.endpoints)
        case ClosedWorkload():
            return _closed_mix(workload)
        case SessionsWorkload():
            counts: Counter[str] = Counter()
            for journey in workload.journeys.values():
                for each in journey.requests:
                    counts[each.endpoint] += journey.share  # type: ignore[assignment]  # a Counter of shares
        case ReplayWorkload():
            counts = Counter(recording_of(scenario).endpoint)
        case _:
            assert_never(workload)
    total = sum(counts.values())
    return {endpoint: count / total for endpoint, count in counts.items()}


def _closed_mix(workload: ClosedWorkload) -> dict[str, float]:
    """The mix, and what users ask on coming back."""
    reconnects = workload.reconnect_share
    mix = {endpoint: share * (1 - reconnects) for endpoint, share in workload.endpoints.items()}
    if workload.presence is not None and workload.presence.reconnect is not None:
        mix[workload.presence.reconnect] = mix.get(workload.presence.reconnect, 0.0) + reconnects
    return mix


def requests_per_session(workload: SessionsWorkload) -> float:
    """Return the mean number of requests of a session whose journey is made to its end."""
    return sum(journey.share * len(journey.requests) for journey in workload.journeys.values())


def request_rate_points(scenario: Scenario) -> Points:
    """Return the rate of requests over the run as corner points, for all workloads but the closed one.

    The requests of a session are counted at its arrival, those of a recording in whole seconds.

    Raises:
        ScenarioError: a recording cannot be read.
    """
    workload, duration_s = scenario.workload, scenario.run.duration
    match workload:
        case OpenWorkload():
            return rate_points(workload.arrival_rate, duration_s)
        case SessionsWorkload():
            each = requests_per_session(workload)
            return [(time_s, rate * each) for time_s, rate in rate_points(workload.arrival_rate, duration_s)]
        case ReplayWorkload():
            return _recorded_points(scenario)
        case ClosedWorkload():
            raise AssertionError("the rate of a closed workload depends on the answers")
        case _:
            assert_never(workload)


def requests_expected(scenario: Scenario) -> float:
    """Return the mean number of requests of a run, for all workloads but the closed one.

    Raises:
        ScenarioError: a recording cannot be read.
    """
    workload, duration_s = scenario.workload, scenario.run.duration
    match workload:
        case OpenWorkload():
            return arrivals_expected(workload.arrival_rate, duration_s)
        case SessionsWorkload():
            return arrivals_expected(workload.arrival_rate, duration_s) * requests_per_session(workload)
        case ReplayWorkload():
            return float(len(recording_of(scenario).endpoint))
        case ClosedWorkload():
            raise AssertionError("the rate of a closed workload depends on the answers")
        case _:
            assert_never(workload)


def key_count(scenario: Scenario) -> int:
    """Return how many keys there are: all are below this number."""
    if isinstance(scenario.workload, ReplayWorkload):
        return int(recording_of(scenario).key.max(initial=0)) + 1
    return scenario.workload.keys.count


def popularity(scenario: Scenario, *, time_s: float = 0.0) -> NDArray[Any]:
    """Return how likely a request that starts then asks for each key that is asked for, most popular first.

    Of a recording: over all of it.
    """
    import numpy as np  # here, to keep reading scenarios quick

    shares = shares_by_key(scenario, time_s=time_s)
    if isinstance(scenario.workload, ReplayWorkload):
        shares = shares[shares > 0]
    return np.sort(shares)[::-1]


def shares_by_key(scenario: Scenario, *, time_s: float = 0.0) -> NDArray[Any]:
    """Return how likely a request that starts then asks for key 0, 1, 2, ...; of a recording: over all of it."""
    import numpy as np  # here, to keep reading scenarios quick

    if isinstance(scenario.workload, ReplayWorkload):
        counts = np.bincount(recording_of(scenario).key)
        shares: NDArray[Any] = counts / counts.sum()
        return shares
    return _popularity(scenario.workload.keys, time_s)


def _popularity(keys: Keys, time_s: float) -> NDArray[Any]:
    match keys:
        case UniformKeys():
            return zipf.probabilities(exponent=0.0, count=keys.count)
        case ZipfKeys():
            return zipf.probabilities(exponent=keys.exponent, count=keys.count)
        case HotKey():
            shares = _popularity(keys.base, time_s)
            if keys.is_hot(time_s):
                shares = shares * (1 - keys.share)
                shares[keys.key] += keys.share
            return shares
        case CellKeys():
            shares = zipf.probabilities(exponent=keys.exponent, count=keys.cells)
            hot = keys.hot_at(time_s)
            if hot is not None:
                shares = shares * (1 - hot.share)
                shares[hot.cell] += hot.share
            return shares.repeat(keys.keys_per_cell) / keys.keys_per_cell
        case _:
            assert_never(keys)


def _recorded_points(scenario: Scenario) -> Points:
    counts = Counter((recording_of(scenario).intended_start_s // _REPLAY_BIN_S).astype(int).tolist())
    end_s = scenario.run.duration
    edges = [i * _REPLAY_BIN_S for i in range(int(-(-end_s // _REPLAY_BIN_S)))] + [end_s]
    points: Points = []
    for second, (start_s, stop_s) in enumerate(pairwise(edges)):
        rate = counts[second] / (stop_s - start_s)
        points += [(start_s, rate), (stop_s, rate)]
    return points
