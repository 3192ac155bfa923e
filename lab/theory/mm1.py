"""M/M/1: Poisson arrivals, exponential service, one server, first come first served.

Source: Kleinrock (1975), Queueing Systems I, sections 3.2 and 5.12.
"""

from __future__ import annotations

import math

from lab.theory import domain
from lab.theory.utilisation import stable_utilisation


def number_in_system_mean(*, arrival_rate_per_s: float, service_time_s: float) -> float:
    """Return the mean number waiting or in service.

    Args:
        arrival_rate_per_s: 0 or above.
        service_time_s: mean, above 0.

    Raises:
        Unstable: utilisation of 1 or more.

    >>> round(number_in_system_mean(arrival_rate_per_s=0.8, service_time_s=1.0), 9)
    4.0
    """
    busy = stable_utilisation(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    return busy / (1.0 - busy)


def number_in_system_probability(*, number: int, arrival_rate_per_s: float, service_time_s: float) -> float:
    """Return the share of time in which exactly ``number`` (0 or above) wait or are served.

    Other arguments and errors as in ``number_in_system_mean``.

    >>> number_in_system_probability(number=1, arrival_rate_per_s=0.5, service_time_s=1.0)
    0.25
    """
    busy = stable_utilisation(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    return (1.0 - busy) * float(busy ** domain.whole(number, name="number", at_least=0))


def waiting_time_s_mean(*, arrival_rate_per_s: float, service_time_s: float) -> float:
    """Return the mean time before service begins. Arguments and errors as in ``number_in_system_mean``.

    >>> round(waiting_time_s_mean(arrival_rate_per_s=0.8, service_time_s=1.0), 9)
    4.0
    """
    busy = stable_utilisation(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    return busy * service_time_s / (1.0 - busy)


def waiting_time_tail(*, time_s: float, arrival_rate_per_s: float, service_time_s: float) -> float:
    """Return the probability of waiting longer than ``time_s`` (0 or above) for service.

    Other arguments and errors as in ``number_in_system_mean``.

    >>> waiting_time_tail(time_s=0.0, arrival_rate_per_s=0.8, service_time_s=1.0)
    0.8
    """
    busy = stable_utilisation(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    time = domain.non_negative(time_s, name="time_s")
    return busy * math.exp(-(1.0 - busy) * time / service_time_s)


def waiting_time_s_quantile(*, quantile: float, arrival_rate_per_s: float, service_time_s: float) -> float:
    """Return the time that a share ``quantile`` (in (0, 1)) of requests wait at most; 0 where they need not.

    Other arguments and errors as in ``number_in_system_mean``.

    >>> waiting_time_s_quantile(quantile=0.5, arrival_rate_per_s=0.4, service_time_s=1.0)
    0.0
    """
    busy = stable_utilisation(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    beyond = 1.0 - domain.open_probability(quantile, name="quantile")
    if beyond >= busy:
        return 0.0
    return math.log(busy / beyond) * service_time_s / (1.0 - busy)


def sojourn_time_s_mean(*, arrival_rate_per_s: float, service_time_s: float) -> float:
    """Return the mean time from arrival to the end of service.

    Arguments and errors as in ``number_in_system_mean``.

    >>> round(sojourn_time_s_mean(arrival_rate_per_s=0.8, service_time_s=1.0), 9)
    5.0
    """
    busy = stable_utilisation(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    return service_time_s / (1.0 - busy)


def sojourn_time_tail(*, time_s: float, arrival_rate_per_s: float, service_time_s: float) -> float:
    """Return the probability that a request takes longer than ``time_s`` (0 or above): it is exponential.

    Other arguments and errors as in ``number_in_system_mean``.

    >>> sojourn_time_tail(time_s=0.0, arrival_rate_per_s=0.8, service_time_s=1.0)
    1.0
    """
    mean = sojourn_time_s_mean(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    return math.exp(-domain.non_negative(time_s, name="time_s") / mean)


def sojourn_time_s_quantile(*, quantile: float, arrival_rate_per_s: float, service_time_s: float) -> float:
    """Return the time within which a share ``quantile`` (in (0, 1)) of requests are done.

    Other arguments and errors as in ``number_in_system_mean``.

    >>> round(sojourn_time_s_quantile(quantile=0.99, arrival_rate_per_s=0.8, service_time_s=1.0), 2)
    23.03
    """
    mean = sojourn_time_s_mean(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    return -math.log1p(-domain.open_probability(quantile, name="quantile")) * mean
