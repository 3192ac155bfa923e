"""The utilisation law: how busy arrivals keep the servers, and whether they can keep up at all."""

from __future__ import annotations

from lab.errors import Unstable
from lab.theory import domain


def offered_load(*, arrival_rate_per_s: float, service_time_s: float) -> float:
    """Return the work that arrives per second, in seconds of one server (erlangs).

    It is the mean number of busy servers if none ever has to wait or is turned away.

    Args:
        arrival_rate_per_s: 0 or above.
        service_time_s: mean, above 0.

    >>> offered_load(arrival_rate_per_s=200.0, service_time_s=0.02)
    4.0
    """
    rate = domain.non_negative(arrival_rate_per_s, name="arrival_rate_per_s")
    return rate * domain.positive(service_time_s, name="service_time_s")


def utilisation(*, arrival_rate_per_s: float, service_time_s: float, servers: int = 1) -> float:
    """Return the share of the servers' time that the arrivals ask for; 1 or more means overload.

    Args:
        arrival_rate_per_s: 0 or above.
        service_time_s: mean, above 0.
        servers: at least one.

    >>> utilisation(arrival_rate_per_s=200.0, service_time_s=0.02, servers=5)
    0.8
    """
    asked = offered_load(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    return asked / domain.whole(servers, name="servers", at_least=1)


def stable_utilisation(*, arrival_rate_per_s: float, service_time_s: float, servers: int = 1) -> float:
    """Return the utilisation of a queue that has a steady state.

    Arguments as in ``utilisation``.

    Raises:
        Unstable: the arrivals ask for all of the servers' time, or more.

    >>> stable_utilisation(arrival_rate_per_s=120.0, service_time_s=0.01)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    lab.errors.Unstable: 120/s arrivals x 0.01 s service = 1.2 servers' work for 1 server: ut...
    """
    ratio = utilisation(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s, servers=servers)
    if ratio >= 1.0:
        growth = arrival_rate_per_s - servers / service_time_s
        raise Unstable(
            f"{arrival_rate_per_s:g}/s arrivals x {service_time_s:g} s service = {ratio * servers:g} "
            f"servers' work for {servers} server{'s' * (servers != 1)}: utilisation {ratio:g}; the queue "
            f"grows without bound (by {max(growth, 0.0):g} requests/s on average), so it has no mean; "
            "lower the arrival rate or the service time, or add servers"
        )
    return ratio
