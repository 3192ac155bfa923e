"""Arrivals and services of any kind: Kingman's bound and heavy-traffic law, and Allen and Cunneen's for c servers.

How long one waits is, near saturation, utilisation times variability times service time; variability is the mean
of the squared coefficients of variation (scv) of the times between arrivals and of the services. Both sequences
are independent of each other and from one to the next: bursts that come in trains make it far worse.

Source: Kingman (1961), "The single server queue in heavy traffic", and (1962), "Some inequalities for the queue
GI/G/1", Biometrika 49; for c servers Allen (1990), Probability, Statistics, and Queueing Theory, 2nd ed.
"""

from __future__ import annotations

from lab.theory import domain, mmc
from lab.theory.utilisation import stable_utilisation


def waiting_time_s_mean(
    *,
    arrival_rate_per_s: float,
    arrival_scv: float,
    service_time_s: float,
    service_time_scv: float,
    servers: int = 1,
) -> float:
    """Return about how long requests wait on average: M/M/c's wait times (arrival scv + service scv) / 2.

    Exact for M/M/c and M/G/1; else an approximation, good near saturation, and too high at low utilisation for
    arrivals more regular than Poisson's.

    Args:
        arrival_rate_per_s: 0 or above.
        arrival_scv: of the times between arrivals (1 Poisson, 0 constant), 0 or above.
        service_time_s: mean, above 0.
        service_time_scv: 0 or above.
        servers: at least one.

    Raises:
        Unstable: utilisation of 1 or more.

    >>> regular = {"arrival_scv": 0.0, "service_time_s": 1.0, "service_time_scv": 1.0}
    >>> round(waiting_time_s_mean(arrival_rate_per_s=0.9, **regular), 4)
    4.5
    """
    poisson = mmc.waiting_time_s_mean(
        arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s, servers=servers
    )
    arrivals = domain.non_negative(arrival_scv, name="arrival_scv")
    return poisson * (arrivals + domain.non_negative(service_time_scv, name="service_time_scv")) / 2.0


def waiting_time_s_mean_max(
    *, arrival_rate_per_s: float, arrival_scv: float, service_time_s: float, service_time_scv: float
) -> float:
    """Return what the mean wait at one server cannot exceed (Kingman's inequality).

    Args:
        arrival_rate_per_s: above 0.
        arrival_scv: of the times between arrivals, 0 or above.
        service_time_s: mean, above 0.
        service_time_scv: 0 or above.

    Raises:
        Unstable: utilisation of 1 or more.

    >>> queue = {"arrival_rate_per_s": 0.8, "service_time_s": 1.0}
    >>> round(waiting_time_s_mean_max(arrival_scv=1.0, service_time_scv=1.0, **queue), 4)
    5.125
    """
    rate = domain.positive(arrival_rate_per_s, name="arrival_rate_per_s")
    busy = stable_utilisation(arrival_rate_per_s=rate, service_time_s=service_time_s)
    between = domain.non_negative(arrival_scv, name="arrival_scv") / rate**2  # the variance of each
    service = domain.non_negative(service_time_scv, name="service_time_scv") * service_time_s**2
    return rate * (between + service) / (2.0 * (1.0 - busy))
