"""M/M/c/K: as M/M/c, but whoever finds ``K`` in the system (waiting and in service) is turned away.

It has a steady state at any arrival rate. It is a service with ``c`` slots and a backlog of
``K - c``; with ``K = c`` it is Erlang's loss system.

Source: Gross, Shortle, Thompson and Harris (2008), Fundamentals of Queueing Theory, 4th ed., section 2.5.
"""

from __future__ import annotations

import math

from lab.theory import birth_death, domain, erlang_mixture
from lab.theory.falling import reaches
from lab.theory.utilisation import offered_load


def number_in_system_probabilities(
    *, arrival_rate_per_s: float, service_time_s: float, servers: int, capacity: int
) -> tuple[float, ...]:
    """Return the share of time with 0, 1, .. ``capacity`` in the system: ``capacity + 1`` values, of sum 1.

    Args:
        arrival_rate_per_s: of all that come, also those turned away; 0 or above.
        service_time_s: mean, above 0.
        servers: at least one.
        capacity: most that are in the system, in service included; at least ``servers``.

    >>> number_in_system_probabilities(arrival_rate_per_s=1.0, service_time_s=1.0, servers=1, capacity=3)
    (0.25, 0.25, 0.25, 0.25)
    """
    return birth_death.normalised(_log_weights(arrival_rate_per_s, service_time_s, servers, capacity))


def blocking_probability(*, arrival_rate_per_s: float, service_time_s: float, servers: int, capacity: int) -> float:
    """Return the share of arrivals turned away. Arguments as in ``number_in_system_probabilities``.

    >>> round(blocking_probability(arrival_rate_per_s=10.0, service_time_s=1.0, servers=10, capacity=10), 4)
    0.2146
    """
    return birth_death.normalised(_log_weights(arrival_rate_per_s, service_time_s, servers, capacity))[-1]


def throughput_per_s(*, arrival_rate_per_s: float, service_time_s: float, servers: int, capacity: int) -> float:
    """Return how many are admitted, and so served, per second.

    Arguments as in ``number_in_system_probabilities``.

    >>> throughput_per_s(arrival_rate_per_s=1.0, service_time_s=1.0, servers=1, capacity=3)
    0.75
    """
    shares = birth_death.normalised(_log_weights(arrival_rate_per_s, service_time_s, servers, capacity))
    return arrival_rate_per_s * math.fsum(shares[:-1])  # 1 - shares[-1] would cancel in deep overload


def utilisation(*, arrival_rate_per_s: float, service_time_s: float, servers: int, capacity: int) -> float:
    """Return the share of the servers' time spent on those admitted; below 1 at any arrival rate.

    Arguments as in ``number_in_system_probabilities``.

    >>> utilisation(arrival_rate_per_s=1.0, service_time_s=1.0, servers=1, capacity=3)
    0.75
    """
    flow = throughput_per_s(
        arrival_rate_per_s=arrival_rate_per_s,
        service_time_s=service_time_s,
        servers=servers,
        capacity=capacity,
    )
    return flow * service_time_s / servers


def number_in_system_mean(*, arrival_rate_per_s: float, service_time_s: float, servers: int, capacity: int) -> float:
    """Return the mean number waiting or in service. Arguments as in ``number_in_system_probabilities``.

    >>> number_in_system_mean(arrival_rate_per_s=1.0, service_time_s=1.0, servers=1, capacity=3)
    1.5
    """
    shares = birth_death.normalised(_log_weights(arrival_rate_per_s, service_time_s, servers, capacity))
    return math.fsum(number * share for number, share in enumerate(shares))


def number_in_queue_mean(*, arrival_rate_per_s: float, service_time_s: float, servers: int, capacity: int) -> float:
    """Return the mean number waiting. Arguments as in ``number_in_system_probabilities``.

    >>> number_in_queue_mean(arrival_rate_per_s=1.0, service_time_s=1.0, servers=1, capacity=3)
    0.75
    """
    shares = birth_death.normalised(_log_weights(arrival_rate_per_s, service_time_s, servers, capacity))
    return math.fsum(max(number - servers, 0) * share for number, share in enumerate(shares))


def waiting_time_s_mean(*, arrival_rate_per_s: float, service_time_s: float, servers: int, capacity: int) -> float:
    """Return the mean time that the admitted wait for service.

    Arguments as in ``number_in_system_probabilities``.

    >>> round(waiting_time_s_mean(arrival_rate_per_s=1.0, service_time_s=1.0, servers=1, capacity=3), 9)
    1.0
    """
    found = _found_by_the_admitted(arrival_rate_per_s, service_time_s, servers, capacity)
    departures = math.fsum(max(number - servers + 1, 0) * share for number, share in enumerate(found))
    return departures * service_time_s / servers


def sojourn_time_s_mean(*, arrival_rate_per_s: float, service_time_s: float, servers: int, capacity: int) -> float:
    """Return the mean time from arrival to the end of service, of the admitted.

    Arguments as in ``number_in_system_probabilities``.

    >>> round(sojourn_time_s_mean(arrival_rate_per_s=1.0, service_time_s=1.0, servers=1, capacity=3), 9)
    2.0
    """
    waiting = waiting_time_s_mean(
        arrival_rate_per_s=arrival_rate_per_s,
        service_time_s=service_time_s,
        servers=servers,
        capacity=capacity,
    )
    return waiting + service_time_s


def waiting_time_tail(
    *, time_s: float, arrival_rate_per_s: float, service_time_s: float, servers: int, capacity: int
) -> float:
    """Return the probability that one of the admitted waits longer than ``time_s`` (0 or above).

    Other arguments as in ``number_in_system_probabilities``.

    >>> waits = waiting_time_tail(
    ...     time_s=0.0, arrival_rate_per_s=1.0, service_time_s=1.0, servers=1, capacity=3
    ... )
    >>> round(waits, 9)
    0.666666667
    """
    found = _found_by_the_admitted(arrival_rate_per_s, service_time_s, servers, capacity)
    phases = domain.non_negative(time_s, name="time_s") * servers / service_time_s  # departures meanwhile
    return erlang_mixture.tail(found[servers:], phases=phases)


def waiting_time_s_quantile(
    *, quantile: float, arrival_rate_per_s: float, service_time_s: float, servers: int, capacity: int
) -> float:
    """Return the time that a share ``quantile`` (in (0, 1)) of the admitted wait at most.

    Other arguments as in ``number_in_system_probabilities``.

    >>> waiting_time_s_quantile(
    ...     quantile=0.3, arrival_rate_per_s=1.0, service_time_s=1.0, servers=1, capacity=3
    ... )
    0.0
    """
    found = _found_by_the_admitted(arrival_rate_per_s, service_time_s, servers, capacity)
    beyond = 1.0 - domain.open_probability(quantile, name="quantile")
    phases = reaches(lambda x: erlang_mixture.tail(found[servers:], phases=x), level=beyond, scale=1.0)
    return phases * service_time_s / servers


def _found_by_the_admitted(
    arrival_rate_per_s: float, service_time_s: float, servers: int, capacity: int
) -> tuple[float, ...]:
    """Return how likely one of the admitted finds 0, 1, .. ``capacity - 1`` in the system.

    Poisson arrivals see time averages; the admitted are those that do not find it full.
    """
    return birth_death.normalised(_log_weights(arrival_rate_per_s, service_time_s, servers, capacity)[:-1])


def _log_weights(arrival_rate_per_s: float, service_time_s: float, servers: int, capacity: int) -> tuple[float, ...]:
    asked = offered_load(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    serving = domain.whole(servers, name="servers", at_least=1)
    most = domain.whole(capacity, name="capacity (which counts those in service)", at_least=serving)
    busy_servers = [float(min(number, serving)) for number in range(1, most + 1)]
    return birth_death.log_weights(up_per_s=[asked] * most, down_per_s=busy_servers)  # in service times
