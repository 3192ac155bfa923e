"""Client-side throttling: what still reaches a backend that rejects.

Source: Beyer and others (eds.), Site Reliability Engineering, O'Reilly 2016, chapter 21, "Client-Side Throttling".
"""

from __future__ import annotations

import math

from lab.theory import domain


def sent_mean(*, requests: int) -> float:
    """Return the mean number sent of the first requests within one window to a backend that accepts none of them.

    The n-th is sent with probability 1/n, so the mean is 1 + 1/2 + .. + 1/n.

    Args:
        requests: wanted within the window, at least one.

    >>> sent_mean(requests=4) == 25 / 12
    True
    """
    return math.fsum(1.0 / n for n in range(1, domain.whole(requests, name="requests", at_least=1) + 1))


def sent_rate_per_s(*, arrival_rate_per_s: float, accepted_rate_per_s: float, multiplier: float = 2.0) -> float:
    """Return the rate at which attempts reach the backend in the steady state: K times what it accepts, or all.

    From p = (requests - K accepts) / requests, without the 1 in the denominator, which does not count for many requests
    in a window.

    Args:
        arrival_rate_per_s: of what clients want to send, above 0.
        accepted_rate_per_s: of what the backend accepts, 0 or above.
        multiplier: K, above 0.

    >>> sent_rate_per_s(arrival_rate_per_s=500.0, accepted_rate_per_s=100.0)
    200.0
    """
    wanted = domain.positive(arrival_rate_per_s, name="arrival_rate_per_s", unit="/s")
    accepted = domain.non_negative(accepted_rate_per_s, name="accepted_rate_per_s", unit="/s")
    return min(wanted, domain.positive(multiplier, name="multiplier") * accepted)
