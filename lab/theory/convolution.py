"""The convolution algorithm: a closed network with any number of servers at each station, exactly.

The network is as likely to have n1, n2, .. users at its stations as the product of f1(n1) f2(n2) .., with
f(n) = demand^n / (min(1, c) min(2, c) .. min(n, c)) for c servers. The sums of these products over all ways
to place n users, G(n), give the rest. Everything is positive, and kept as logarithms, so nothing cancels or
overflows; load-dependent mean value analysis, which subtracts, breaks down where many servers are busy.

Source: Buzen (1973), "Computational algorithms for closed queueing networks with exponential servers",
Communications of the ACM 16, 527-531.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lab.theory import domain
from lab.theory.closed_network import ClosedNetwork, Station, require_work

_Logs = NDArray[np.float64]


def solve(*, stations: Sequence[Station], population: int, think_time_s: float = 0.0) -> ClosedNetwork:
    """Return throughput, times and numbers of a closed network of stations and delays.

    Takes time with the square of the population: a second or so for two thousand users.

    Args:
        stations: at least one.
        population: users, at least one.
        think_time_s: mean, 0 or above.

    Raises:
        DomainError: no station, or nothing takes time.

    >>> found = solve(stations=[Station(demand_s=1.0, servers=2)], population=3, think_time_s=1.0)
    >>> round(found.throughput_per_s, 4), round(found.sojourn_time_s_mean, 4)
    (1.4118, 1.125)
    """
    think = require_work(stations, think_time_s)
    users = domain.whole(population, name="population", at_least=1)
    parts = [_part(station.demand_s, station.servers, users) for station in stations]
    # before[i] has the thinking users and the stations before i, after[i] the stations behind it.
    before = [_part(think, None, users)]
    for part in parts:
        before.append(_convolved(before[-1], part))
    after = [_part(0.0, None, users)]
    for part in reversed(parts):
        after.insert(0, _convolved(part, after[0]))
    whole = before[-1]
    throughput = math.exp(whole[users - 1] - whole[users])
    counts = np.arange(users + 1)
    numbers = []
    for index, part in enumerate(parts):
        others = _convolved(before[index], after[index + 1])
        numbers.append(float((counts * np.exp(part + others[::-1] - whole[users])).sum()))
    return ClosedNetwork(
        throughput_per_s=throughput,
        sojourn_time_s_mean=math.fsum(numbers) / throughput,
        residence_times_s=tuple(number / throughput for number in numbers),
        numbers_mean=tuple(numbers),
    )


def _part(demand_s: float, servers: int | None, users: int) -> _Logs:
    """Return log f(n) for n = 0 .. users."""
    if demand_s == 0.0:
        return np.array([0.0] + [-math.inf] * users)
    most = users if servers is None else servers
    steps = math.log(demand_s) - np.log(np.minimum(np.arange(1, users + 1), most))
    return np.concatenate(([0.0], np.cumsum(steps)))


def _convolved(a: _Logs, b: _Logs) -> _Logs:
    """Return the logarithms of sum over k of exp(a[k] + b[n - k]), for each n."""
    found = np.empty_like(a)
    for n in range(a.size):
        terms = a[: n + 1] + b[n::-1]
        top = terms.max()
        found[n] = top if math.isinf(top) else top + math.log(np.exp(terms - top).sum())
    return found
