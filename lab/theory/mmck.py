"""M/M/c/K: as M/M/c, but whoever finds ``K`` in the system (waiting and in service) is turned away.

It has a steady state at any arrival rate. It is a service with ``c`` slots and a backlog of
``K - c``; with ``K = c`` it is Erlang's loss system.

Source: Gross, Shortle, Thompson and Harris (2008), Fundamentals of Queueing Theory, 4th ed., section 2.5.
"""

from __future__ import annotations

import math

from lab.theory import domain
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
    return _normalised(_log_weights(arrival_rate_per_s, service_time_s, servers, capacity))


def blocking_probability(*, arrival_rate_per_s: float, service_time_s: float, servers: int, capacity: int) -> float:
    """Return the share of arrivals turned away. Arguments as in ``number_in_system_probabilities``.

    >>> round(blocking_probability(arrival_rate_per_s=10.0, service_time_s=1.0, servers=10, capacity=10), 4)
    0.2146
    """
    return _normalised(_log_weights(arrival_rate_per_s, service_time_s, servers, capacity))[-1]


def throughput_per_s(*, arrival_rate_per_s: float, service_time_s: float, servers: int, capacity: int) -> float:
    """Return how many are admitted, and so served, per second.

    Arguments as in ``number_in_system_probabilities``.

    >>> throughput_per_s(arrival_rate_per_s=1.0, service_time_s=1.0, servers=1, capacity=3)
    0.75
    """
    shares = _normalised(_log_weights(arrival_rate_per_s, service_time_s, servers, capacity))
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
    shares = _normalised(_log_weights(arrival_rate_per_s, service_time_s, servers, capacity))
    return math.fsum(number * share for number, share in enumerate(shares))


def number_in_queue_mean(*, arrival_rate_per_s: float, service_time_s: float, servers: int, capacity: int) -> float:
    """Return the mean number waiting. Arguments as in ``number_in_system_probabilities``.

    >>> number_in_queue_mean(arrival_rate_per_s=1.0, service_time_s=1.0, servers=1, capacity=3)
    0.75
    """
    shares = _normalised(_log_weights(arrival_rate_per_s, service_time_s, servers, capacity))
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
    return _tail(found[servers:], domain.non_negative(time_s, name="time_s") * servers / service_time_s)


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
    services = reaches(lambda x: _tail(found[servers:], x), level=beyond, scale=1.0)
    return services * service_time_s / servers


def _tail(found: tuple[float, ...], services: float) -> float:
    """Return P(wait > t), ``services`` being t in mean times between departures of a busy system.

    Who finds ``i`` waiting ahead waits for ``i + 1`` departures: longer than t if at most ``i`` of
    them, a Poisson number, happen by then.
    """
    # Logarithms: the first term of a Poisson sum is 0 in floats beyond a mean of 745.
    log_mean = math.log(services) if services > 0.0 else -math.inf
    at_most = 0.0
    total = 0.0
    for i, share in enumerate(found):
        log_term = (i * log_mean if i else 0.0) - services - math.lgamma(i + 1)
        at_most += math.exp(log_term)
        total += share * min(at_most, 1.0)
    return total


def _found_by_the_admitted(
    arrival_rate_per_s: float, service_time_s: float, servers: int, capacity: int
) -> tuple[float, ...]:
    """Return how likely one of the admitted finds 0, 1, .. ``capacity - 1`` in the system.

    Poisson arrivals see time averages; the admitted are those that do not find it full.
    """
    return _normalised(_log_weights(arrival_rate_per_s, service_time_s, servers, capacity)[:-1])


def _log_weights(arrival_rate_per_s: float, service_time_s: float, servers: int, capacity: int) -> tuple[float, ...]:
    """Return the logarithms of the shares up to a common constant; as plain products they would overflow."""
    asked = offered_load(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    serving = domain.whole(servers, name="servers", at_least=1)
    most = domain.whole(capacity, name="capacity (which counts those in service)", at_least=serving)
    log_asked = math.log(asked) if asked > 0.0 else -math.inf
    weights = [0.0]
    for number in range(1, most + 1):
        weights.append(weights[-1] + log_asked - math.log(min(number, serving)))
    return tuple(weights)


def _normalised(log_weights: tuple[float, ...]) -> tuple[float, ...]:
    top = max(log_weights)
    weights = [math.exp(weight - top) for weight in log_weights]
    total = math.fsum(weights)
    return tuple(weight / total for weight in weights)
