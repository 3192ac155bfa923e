"""M/D/1: Poisson arrivals, constant service, one server, first come first served.

The distribution of the wait follows from that of the number in the system (Franx's form for one
server). All its terms are positive; Erlang's own sum alternates, and beyond some twenty service
times its rounding errors exceed the answer.

Source: Erlang (1909); Franx (2001), "A simple solution for the M/D/c waiting time distribution",
Operations Research Letters 29, 221-229.
"""

from __future__ import annotations

import math

from lab.errors import DomainError
from lab.theory import domain, mg1
from lab.theory.falling import reaches
from lab.theory.utilisation import stable_utilisation

_MOST_STATES = 200_000  # keeps an answer within a second or so; reached only above a utilisation of 0.9999
_NEGLIGIBLE = 1e-18  # states rarer than this no longer change a probability near 1


def waiting_time_s_mean(*, arrival_rate_per_s: float, service_time_s: float) -> float:
    """Return the mean time before service begins: half that of M/M/1.

    Args:
        arrival_rate_per_s: 0 or above.
        service_time_s: the constant, above 0.

    Raises:
        Unstable: utilisation of 1 or more.

    >>> round(waiting_time_s_mean(arrival_rate_per_s=0.8, service_time_s=1.0), 9)
    2.0
    """
    return mg1.waiting_time_s_mean(
        arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s, service_time_scv=0.0
    )


def sojourn_time_s_mean(*, arrival_rate_per_s: float, service_time_s: float) -> float:
    """Return the mean time from arrival to the end of service.

    Arguments and errors as in ``waiting_time_s_mean``.

    >>> round(sojourn_time_s_mean(arrival_rate_per_s=0.8, service_time_s=1.0), 9)
    3.0
    """
    waiting = waiting_time_s_mean(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    return waiting + service_time_s


def waiting_time_tail(*, time_s: float, arrival_rate_per_s: float, service_time_s: float) -> float:
    """Return the probability of waiting longer than ``time_s`` (0 or above), to about 1e-14.

    Other arguments and errors as in ``waiting_time_s_mean``.

    Raises:
        DomainError: so near to saturation, and so long a time, that the exact sum is out of reach.

    >>> round(waiting_time_tail(time_s=0.0, arrival_rate_per_s=0.8, service_time_s=1.0), 9)
    0.8
    """
    busy = stable_utilisation(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    services = domain.non_negative(time_s, name="time_s") / service_time_s
    whole_services = math.floor(services) + 1
    at_most = _number_in_queue_at_most(busy, whole_services)
    rest = busy * (whole_services - services)  # arrivals expected in the part of a service that is left
    within = 0.0
    weight = math.exp(-rest)
    for j in range(whole_services):
        ahead = whole_services - 1 - j
        within += weight * (at_most[ahead] if ahead < len(at_most) else 1.0)
        weight *= rest / (j + 1)
        if weight < _NEGLIGIBLE:
            break
    return min(max(1.0 - within, 0.0), 1.0)


def waiting_time_s_quantile(*, quantile: float, arrival_rate_per_s: float, service_time_s: float) -> float:
    """Return the time that a share ``quantile`` (in (0, 1)) of requests wait at most; 0 where they need not.

    Other arguments and errors as in ``waiting_time_tail``.

    >>> round(waiting_time_s_quantile(quantile=0.99, arrival_rate_per_s=0.8, service_time_s=1.0), 1)
    10.4
    """
    beyond = 1.0 - domain.open_probability(quantile, name="quantile")

    def tail(time_s: float) -> float:
        return waiting_time_tail(time_s=time_s, arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)

    return reaches(tail, level=beyond, scale=service_time_s)


def sojourn_time_s_quantile(*, quantile: float, arrival_rate_per_s: float, service_time_s: float) -> float:
    """Return the time within which a share ``quantile`` of requests are done: the wait's, and the service.

    Arguments and errors as in ``waiting_time_s_quantile``.

    >>> sojourn_time_s_quantile(quantile=0.5, arrival_rate_per_s=0.4, service_time_s=1.0)
    1.0
    """
    waiting = waiting_time_s_quantile(
        quantile=quantile, arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s
    )
    return waiting + service_time_s


def _number_in_queue_at_most(busy: float, count: int) -> list[float]:
    """Return P(at most n wait) for n = 0, 1, .. up to ``count`` values; those left out are 1."""
    arrive = [math.exp(-busy)]  # P(k arrivals during a service)
    while arrive[-1] > _NEGLIGIBLE**2:
        arrive.append(arrive[-1] * busy / len(arrive))
    more = [math.fsum(arrive[k + 1 :]) for k in range(len(arrive))]  # P(more than k arrivals)
    # A departure takes the number from n to n - 1 as often as others take it from below n to n or
    # above: a sum of positive terms, where the textbook recursion subtracts.
    states = [1.0 - busy]
    at_most: list[float] = []
    within = states[0]
    while len(at_most) < count:
        n = len(states)
        if n > _MOST_STATES:
            raise DomainError(
                f"the exact wait at utilisation {busy!r} takes more than {_MOST_STATES} states, too many to "
                "sum; give a lower arrival rate or a shorter time, or use the mean"
            )
        rises = states[0] * more[n - 1] if n - 1 < len(more) else 0.0
        rises += sum(states[j] * more[n - j] for j in range(max(1, n - len(more) + 1), n))
        states.append(rises / arrive[0])
        within += states[n]
        at_most.append(min(within, 1.0))
        if states[n] < _NEGLIGIBLE:
            break
    return at_most
