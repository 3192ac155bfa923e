"""M/G/1: Poisson arrivals, service of any distribution, one server, first come first served.

The means need of the service time no more than its mean and its squared coefficient of variation
(scv: variance over squared mean; 0 constant, 1 exponential).

Source: Pollaczek (1930) and Khinchine (1932); Kleinrock (1975), Queueing Systems I, section 5.6.
"""

from __future__ import annotations

from lab.theory import domain
from lab.theory.utilisation import stable_utilisation


def waiting_time_s_mean(*, arrival_rate_per_s: float, service_time_s: float, service_time_scv: float) -> float:
    """Return the mean time before service begins (the Pollaczek-Khinchine formula).

    Args:
        arrival_rate_per_s: 0 or above.
        service_time_s: mean, above 0.
        service_time_scv: 0 or above.

    Raises:
        Unstable: utilisation of 1 or more.

    >>> round(waiting_time_s_mean(arrival_rate_per_s=0.8, service_time_s=1.0, service_time_scv=0.5), 9)
    3.0
    """
    busy = stable_utilisation(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    scv = domain.non_negative(service_time_scv, name="service_time_scv")
    return busy * service_time_s * (1.0 + scv) / (2.0 * (1.0 - busy))


def sojourn_time_s_mean(*, arrival_rate_per_s: float, service_time_s: float, service_time_scv: float) -> float:
    """Return the mean time from arrival to the end of service.

    Arguments and errors as in ``waiting_time_s_mean``.

    >>> round(sojourn_time_s_mean(arrival_rate_per_s=0.8, service_time_s=1.0, service_time_scv=0.5), 9)
    4.0
    """
    waiting = waiting_time_s_mean(
        arrival_rate_per_s=arrival_rate_per_s,
        service_time_s=service_time_s,
        service_time_scv=service_time_scv,
    )
    return waiting + service_time_s


def number_in_queue_mean(*, arrival_rate_per_s: float, service_time_s: float, service_time_scv: float) -> float:
    """Return the mean number waiting. Arguments and errors as in ``waiting_time_s_mean``.

    >>> round(number_in_queue_mean(arrival_rate_per_s=0.8, service_time_s=1.0, service_time_scv=0.5), 9)
    2.4
    """
    waiting = waiting_time_s_mean(
        arrival_rate_per_s=arrival_rate_per_s,
        service_time_s=service_time_s,
        service_time_scv=service_time_scv,
    )
    return arrival_rate_per_s * waiting


def number_in_system_mean(*, arrival_rate_per_s: float, service_time_s: float, service_time_scv: float) -> float:
    """Return the mean number waiting or in service. Arguments and errors as in ``waiting_time_s_mean``.

    >>> round(number_in_system_mean(arrival_rate_per_s=0.8, service_time_s=1.0, service_time_scv=0.5), 9)
    3.2
    """
    sojourn = sojourn_time_s_mean(
        arrival_rate_per_s=arrival_rate_per_s,
        service_time_s=service_time_s,
        service_time_scv=service_time_scv,
    )
    return arrival_rate_per_s * sojourn
