"""M/M/c//N: N users who think and then ask a service with c servers; the plain model of a closed load test.

Think times of any distribution, exponential services, first come first served (one that finds all servers
busy waits). It has a steady state at any population: the longer the queue, the fewer are left to join it.
Named for machines that break down after a while and wait for one of c repairmen.

Source: Gross, Shortle, Thompson and Harris (2008), Fundamentals of Queueing Theory, 4th ed., chapter 2
(finite-source queues); that arrivals find the state of a system without themselves: Sevcik and Mitrani (1981),
"The distribution of queuing network states at input and output instants", Journal of the ACM 28.
"""

from __future__ import annotations

import math

from lab.theory import birth_death, domain, erlang_mixture
from lab.theory.falling import reaches


def number_in_system_probabilities(
    *, population: int, think_time_s: float, service_time_s: float, servers: int
) -> tuple[float, ...]:
    """Return the share of time with 0, 1, .. ``population`` users waiting or in service, of sum 1.

    Args:
        population: users, at least one.
        think_time_s: mean, above 0.
        service_time_s: mean, above 0.
        servers: at least one.

    >>> found = number_in_system_probabilities(population=2, think_time_s=1.0, service_time_s=1.0, servers=1)
    >>> [round(share, 9) for share in found]
    [0.2, 0.4, 0.4]
    """
    users = domain.whole(population, name="population", at_least=1)
    return _shares(users, think_time_s, service_time_s, servers)


def throughput_per_s(*, population: int, think_time_s: float, service_time_s: float, servers: int) -> float:
    """Return how many requests are served per second. Arguments as in ``number_in_system_probabilities``.

    >>> round(throughput_per_s(population=2, think_time_s=1.0, service_time_s=1.0, servers=1), 9)
    0.8
    """
    shares = number_in_system_probabilities(
        population=population, think_time_s=think_time_s, service_time_s=service_time_s, servers=servers
    )
    return math.fsum(min(number, servers) * share for number, share in enumerate(shares)) / service_time_s


def utilisation(*, population: int, think_time_s: float, service_time_s: float, servers: int) -> float:
    """Return the busy share of the servers' time. Arguments as in ``number_in_system_probabilities``.

    >>> round(utilisation(population=2, think_time_s=1.0, service_time_s=1.0, servers=1), 9)
    0.8
    """
    flow = throughput_per_s(
        population=population, think_time_s=think_time_s, service_time_s=service_time_s, servers=servers
    )
    return flow * service_time_s / servers


def waiting_time_s_mean(*, population: int, think_time_s: float, service_time_s: float, servers: int) -> float:
    """Return the mean time before service begins. Arguments as in ``number_in_system_probabilities``.

    >>> round(waiting_time_s_mean(population=2, think_time_s=1.0, service_time_s=1.0, servers=1), 9)
    0.5
    """
    found = _found_on_arrival(population, think_time_s, service_time_s, servers)
    departures = math.fsum(max(number - servers + 1, 0) * share for number, share in enumerate(found))
    return departures * service_time_s / servers


def sojourn_time_s_mean(*, population: int, think_time_s: float, service_time_s: float, servers: int) -> float:
    """Return the mean time from request to answer. Arguments as in ``number_in_system_probabilities``.

    >>> round(sojourn_time_s_mean(population=2, think_time_s=1.0, service_time_s=1.0, servers=1), 9)
    1.5
    """
    waiting = waiting_time_s_mean(
        population=population, think_time_s=think_time_s, service_time_s=service_time_s, servers=servers
    )
    return waiting + service_time_s


def waiting_time_tail(
    *, time_s: float, population: int, think_time_s: float, service_time_s: float, servers: int
) -> float:
    """Return the probability of waiting longer than ``time_s`` (0 or above) for service.

    Other arguments as in ``number_in_system_probabilities``.

    >>> round(waiting_time_tail(time_s=0.0, population=2, think_time_s=1.0, service_time_s=1.0, servers=1), 9)
    0.5
    """
    found = _found_on_arrival(population, think_time_s, service_time_s, servers)
    phases = domain.non_negative(time_s, name="time_s") * servers / service_time_s  # departures meanwhile
    return erlang_mixture.tail(found[servers:], phases=phases)


def waiting_time_s_quantile(
    *, quantile: float, population: int, think_time_s: float, service_time_s: float, servers: int
) -> float:
    """Return the time that a share ``quantile`` (in (0, 1)) of requests wait at most.

    Other arguments as in ``number_in_system_probabilities``.

    >>> waiting_time_s_quantile(quantile=0.4, population=2, think_time_s=1.0, service_time_s=1.0, servers=1)
    0.0
    """
    found = _found_on_arrival(population, think_time_s, service_time_s, servers)
    beyond = 1.0 - domain.open_probability(quantile, name="quantile")
    phases = reaches(lambda x: erlang_mixture.tail(found[servers:], phases=x), level=beyond, scale=1.0)
    return phases * service_time_s / servers


def _found_on_arrival(population: int, think_time_s: float, service_time_s: float, servers: int) -> tuple[float, ...]:
    """Return how likely a request finds 0, 1, .. in the system: as often as without its user at any time."""
    users = domain.whole(population, name="population", at_least=1)
    return _shares(users - 1, think_time_s, service_time_s, servers)


def _shares(users: int, think_time_s: float, service_time_s: float, servers: int) -> tuple[float, ...]:
    think = domain.positive(think_time_s, name="think_time_s")
    service = domain.positive(service_time_s, name="service_time_s")
    serving = domain.whole(servers, name="servers", at_least=1)
    weights = birth_death.log_weights(
        up_per_s=[(users - number) / think for number in range(users)],
        down_per_s=[min(number, serving) / service for number in range(1, users + 1)],
    )
    return birth_death.normalised(weights)
