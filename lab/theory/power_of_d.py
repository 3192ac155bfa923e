"""The power of d choices: each request looks at d servers drawn at random and joins the shortest queue of these.

The limit of many servers, Poisson arrivals, exponential services, first come first served at each server.
There the queues become independent, and the share of queues of k or more falls doubly exponentially:
rho^((d^k - 1) / (d - 1)), where a single random choice (d = 1) gives M/M/1's rho^k. With n servers the truth
lies off it by the order of 1/n; ``lab.theory.join_shortest`` is exact for a few.

Source: Vvedenskaya, Dobrushin and Karpelevich (1996), Problems of Information Transmission 32; Mitzenmacher
(2001), "The power of two choices in randomized load balancing", IEEE Trans. Parallel and Distributed Systems 12.
"""

from __future__ import annotations

import math

from lab.errors import Unstable
from lab.theory import domain, erlang_mixture

_NEGLIGIBLE = 1e-18  # shares rarer than this no longer change a mean


def queue_length_tail(*, number: int, utilisation: float, choices: int) -> float:
    """Return the share of servers with ``number`` requests or more, that in service included.

    Args:
        number: 0 or above.
        utilisation: from 0 to below 1.
        choices: servers looked at for each request, at least one.

    Raises:
        Unstable: utilisation of 1 or more.

    >>> round(queue_length_tail(number=3, utilisation=0.9, choices=2), 4)
    0.4783
    """
    busy = _stable(utilisation)
    looked_at = domain.whole(choices, name="choices", at_least=1)
    return _tail(domain.whole(number, name="number", at_least=0), busy, looked_at)


def sojourn_time_s_mean(*, utilisation: float, service_time_s: float, choices: int) -> float:
    """Return the mean time from arrival to the end of service.

    Args:
        utilisation: from 0 to below 1.
        service_time_s: mean, above 0.
        choices: servers looked at for each request, at least one.

    Raises:
        Unstable: utilisation of 1 or more.

    >>> round(sojourn_time_s_mean(utilisation=0.9, service_time_s=1.0, choices=2), 4)
    2.6141
    """
    service = domain.positive(service_time_s, name="service_time_s")
    looked_at = domain.whole(choices, name="choices", at_least=1)
    busy = _stable(utilisation)
    if looked_at == 1:
        return service / (1.0 - busy)
    return service * math.fsum(_longer(busy, looked_at))


def sojourn_time_tail(*, time_s: float, utilisation: float, service_time_s: float, choices: int) -> float:
    """Return the probability that a request takes longer than ``time_s`` (0 or above), wait and service.

    Other arguments and errors as in ``sojourn_time_s_mean``.

    >>> round(sojourn_time_tail(time_s=3.0, utilisation=0.5, service_time_s=1.0, choices=1), 4)
    0.2231
    """
    service = domain.positive(service_time_s, name="service_time_s")
    looked_at = domain.whole(choices, name="choices", at_least=1)
    busy = _stable(utilisation)
    times = domain.non_negative(time_s, name="time_s") / service
    if looked_at == 1:
        return math.exp(-(1.0 - busy) * times)
    joins = _longer(busy, looked_at)
    # Joins a queue of exactly k with the difference; then k + 1 services have to pass.
    shares = [at_least - more for at_least, more in zip(joins, [*joins[1:], 0.0], strict=True)]
    return min(erlang_mixture.tail(shares, phases=times), 1.0)


def _longer(busy: float, choices: int) -> list[float]:
    """Return how likely a request joins a queue of 0, 1, .. or more: all of its choices are that long."""
    joins = [1.0]
    while joins[-1] > _NEGLIGIBLE:
        joins.append(_tail(len(joins), busy, choices) ** choices)
    return joins


def _tail(number: int, busy: float, choices: int) -> float:
    # 1 + d + .. + d^(k-1), summed: the quotient is 0 / 0 for d = 1. In whole numbers, which do not overflow.
    exponent = number if choices == 1 else (choices**number - 1) // (choices - 1)
    if busy == 0.0:
        return 1.0 if number == 0 else 0.0
    log_share = exponent * math.log(busy) if exponent < 10**300 else -math.inf  # larger does not fit a float
    return math.exp(log_share)


def _stable(utilisation: float) -> float:
    busy = domain.non_negative(utilisation, name="utilisation")
    if busy >= 1.0:
        raise Unstable(
            f"at a utilisation of {busy:g} every queue grows without bound, however many choices there are; "
            "lower the arrival rate or add servers"
        )
    return busy
