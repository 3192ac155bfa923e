"""Processor sharing: whoever is there is served at once, and all share the cores equally.

Poisson arrivals, service of any distribution (M/G/1-PS and M/G/c-PS); each takes one core at most, so ``n``
of them on ``c`` cores each run at the speed min(1, c / n). The number in the system is distributed as in
M/M/c, whatever the distribution of the service time (it is insensitive): only its mean counts. And who
needs x seconds of a core takes on average x times a factor that is the same for all: nobody is held up
behind a long one, as in a queue.

Source: Kleinrock (1976), Queueing Systems II, chapter 4; for c cores Cohen (1979), "The multiple phase
service network with generalized processor sharing", Acta Informatica 12; the variance from Coffman, Muntz
and Trotter (1970), "Waiting time distributions for processor-sharing systems", Journal of the ACM 17.
"""

from __future__ import annotations

from lab.theory import domain, mmc
from lab.theory.utilisation import stable_utilisation


def slowdown_mean(*, arrival_rate_per_s: float, service_time_s: float, cores: int = 1) -> float:
    """Return by what factor sharing stretches each service on average: 1 / (1 - utilisation) on one core.

    Args:
        arrival_rate_per_s: 0 or above.
        service_time_s: mean, of a request that has a core for itself, above 0.
        cores: at least one.

    Raises:
        Unstable: utilisation of 1 or more.

    >>> round(slowdown_mean(arrival_rate_per_s=40.0, service_time_s=0.02), 9)
    5.0
    """
    sojourn = mmc.sojourn_time_s_mean(
        arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s, servers=_whole(cores)
    )
    return sojourn / service_time_s


def sojourn_time_s_mean(*, arrival_rate_per_s: float, service_time_s: float, cores: int = 1) -> float:
    """Return the mean time from arrival to the end of service. Arguments and errors as in ``slowdown_mean``.

    >>> round(sojourn_time_s_mean(arrival_rate_per_s=40.0, service_time_s=0.02), 9)
    0.1
    """
    return mmc.sojourn_time_s_mean(
        arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s, servers=_whole(cores)
    )


def sojourn_time_s_mean_given(
    *, own_service_time_s: float, arrival_rate_per_s: float, service_time_s: float, cores: int = 1
) -> float:
    """Return the mean time in the system of one that needs ``own_service_time_s`` (0 or above) of a core.

    Other arguments and errors as in ``slowdown_mean``: ``service_time_s`` is the mean over all.

    >>> busy = {"arrival_rate_per_s": 40.0, "service_time_s": 0.02}
    >>> round(sojourn_time_s_mean_given(own_service_time_s=0.001, **busy), 9)
    0.005
    """
    own = domain.non_negative(own_service_time_s, name="own_service_time_s")
    return own * slowdown_mean(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s, cores=cores)


def number_in_system_mean(*, arrival_rate_per_s: float, service_time_s: float, cores: int = 1) -> float:
    """Return the mean number in the system. Arguments and errors as in ``slowdown_mean``.

    >>> round(number_in_system_mean(arrival_rate_per_s=40.0, service_time_s=0.02), 9)
    4.0
    """
    return mmc.number_in_system_mean(
        arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s, servers=_whole(cores)
    )


def sojourn_time_scv_if_exponential(*, arrival_rate_per_s: float, service_time_s: float) -> float:
    """Return the squared coefficient of variation of the time in the system, one core, exponential service.

    That is (2 + rho) / (2 - rho), from 1 up to 3: M/M/1 has the same mean, and an scv of 1.
    Arguments and errors as in ``slowdown_mean``.

    >>> round(sojourn_time_scv_if_exponential(arrival_rate_per_s=40.0, service_time_s=0.02), 4)
    2.3333
    """
    busy = stable_utilisation(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    return (2.0 + busy) / (2.0 - busy)


def _whole(cores: int) -> int:
    return domain.whole(cores, name="cores", at_least=1)
