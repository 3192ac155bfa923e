"""M/M/c: Poisson arrivals, exponential service, ``c`` equal servers, one queue, first come first served.

Source: Erlang (1917); Gross, Shortle, Thompson and Harris (2008), Fundamentals of Queueing Theory,
4th ed., section 2.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lab.theory import domain, erlang
from lab.theory.falling import reaches
from lab.theory.utilisation import offered_load, stable_utilisation


def waiting_probability(*, arrival_rate_per_s: float, service_time_s: float, servers: int) -> float:
    """Return the share of requests that find all servers busy (Erlang C).

    Args:
        arrival_rate_per_s: 0 or above.
        service_time_s: mean, above 0.
        servers: at least one.

    Raises:
        Unstable: utilisation of 1 or more.

    >>> round(waiting_probability(arrival_rate_per_s=10.0, service_time_s=1.0, servers=14), 4)
    0.1741
    """
    return _queue(arrival_rate_per_s, service_time_s, servers).waits


def waiting_time_s_mean(*, arrival_rate_per_s: float, service_time_s: float, servers: int) -> float:
    """Return the mean time before service begins, over all requests, also those that need not wait.

    Arguments and errors as in ``waiting_probability``.

    >>> round(waiting_time_s_mean(arrival_rate_per_s=200 / 3600, service_time_s=180.0, servers=14), 1)
    7.8
    """
    queue = _queue(arrival_rate_per_s, service_time_s, servers)
    return queue.waits / queue.drain_per_s


def waiting_time_tail(*, time_s: float, arrival_rate_per_s: float, service_time_s: float, servers: int) -> float:
    """Return the probability of waiting longer than ``time_s`` (0 or above) for service.

    Other arguments and errors as in ``waiting_probability``.

    >>> late = waiting_time_tail(time_s=20.0, arrival_rate_per_s=200 / 3600, service_time_s=180.0, servers=14)
    >>> f"answered within 20 s: {1 - late:.1%}"
    'answered within 20 s: 88.8%'
    """
    queue = _queue(arrival_rate_per_s, service_time_s, servers)
    return queue.waits * math.exp(-queue.drain_per_s * domain.non_negative(time_s, name="time_s"))


def waiting_time_s_quantile(
    *, quantile: float, arrival_rate_per_s: float, service_time_s: float, servers: int
) -> float:
    """Return the time that a share ``quantile`` (in (0, 1)) of requests wait at most; 0 where they need not.

    Other arguments and errors as in ``waiting_probability``.

    >>> waiting_time_s_quantile(quantile=0.8, arrival_rate_per_s=10.0, service_time_s=1.0, servers=14)
    0.0
    """
    queue = _queue(arrival_rate_per_s, service_time_s, servers)
    beyond = 1.0 - domain.open_probability(quantile, name="quantile")
    if beyond >= queue.waits:
        return 0.0
    return math.log(queue.waits / beyond) / queue.drain_per_s


def sojourn_time_s_mean(*, arrival_rate_per_s: float, service_time_s: float, servers: int) -> float:
    """Return the mean time from arrival to the end of service.

    Arguments and errors as in ``waiting_probability``.

    >>> round(sojourn_time_s_mean(arrival_rate_per_s=1.6, service_time_s=1.0, servers=2), 4)
    2.7778
    """
    waiting = waiting_time_s_mean(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s, servers=servers)
    return waiting + service_time_s


def sojourn_time_tail(*, time_s: float, arrival_rate_per_s: float, service_time_s: float, servers: int) -> float:
    """Return the probability that a request takes longer than ``time_s`` (0 or above), wait and service.

    Other arguments and errors as in ``waiting_probability``.

    >>> sojourn_time_tail(time_s=0.0, arrival_rate_per_s=1.6, service_time_s=1.0, servers=2)
    1.0
    """
    queue = _queue(arrival_rate_per_s, service_time_s, servers)
    return queue.sojourn_time_tail(domain.non_negative(time_s, name="time_s"))


def sojourn_time_s_quantile(
    *, quantile: float, arrival_rate_per_s: float, service_time_s: float, servers: int
) -> float:
    """Return the time within which a share ``quantile`` (in (0, 1)) of requests are done.

    Other arguments and errors as in ``waiting_probability``.

    >>> p99 = sojourn_time_s_quantile(quantile=0.99, arrival_rate_per_s=0.8, service_time_s=1.0, servers=1)
    >>> round(p99, 2)
    23.03
    """
    queue = _queue(arrival_rate_per_s, service_time_s, servers)
    beyond = 1.0 - domain.open_probability(quantile, name="quantile")
    return reaches(queue.sojourn_time_tail, level=beyond, scale=service_time_s)


def number_in_queue_mean(*, arrival_rate_per_s: float, service_time_s: float, servers: int) -> float:
    """Return the mean number waiting, not counting those in service.

    Arguments and errors as in ``waiting_probability``.

    >>> round(number_in_queue_mean(arrival_rate_per_s=1.6, service_time_s=1.0, servers=2), 4)
    2.8444
    """
    waiting = waiting_time_s_mean(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s, servers=servers)
    return arrival_rate_per_s * waiting


def number_in_system_mean(*, arrival_rate_per_s: float, service_time_s: float, servers: int) -> float:
    """Return the mean number waiting or in service.

    Arguments and errors as in ``waiting_probability``.

    >>> round(number_in_system_mean(arrival_rate_per_s=1.6, service_time_s=1.0, servers=2), 4)
    4.4444
    """
    waiting = number_in_queue_mean(
        arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s, servers=servers
    )
    return waiting + offered_load(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Queue:
    waits: float  # the share of requests that wait
    drain_per_s: float  # c mu - lambda: the wait of those who wait is exponential with this rate
    serve_per_s: float  # mu

    def sojourn_time_tail(self, time_s: float) -> float:
        # Two exponentials in a row, written by the slower: no overflow, and no 0 / 0 where they are equal.
        slow, fast = sorted((self.drain_per_s, self.serve_per_s))
        apart = (fast - slow) * time_s
        share = -math.expm1(-apart) / apart if apart > 0.0 else 1.0
        waited = math.exp(-slow * time_s) * (1.0 + slow * time_s * share)
        return (1.0 - self.waits) * math.exp(-self.serve_per_s * time_s) + self.waits * waited


def _queue(arrival_rate_per_s: float, service_time_s: float, servers: int) -> _Queue:
    busy = stable_utilisation(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s, servers=servers)
    asked = offered_load(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    return _Queue(
        waits=erlang.waiting_probability(offered_load=asked, servers=servers),
        drain_per_s=servers * (1.0 - busy) / service_time_s,
        serve_per_s=1.0 / service_time_s,
    )
