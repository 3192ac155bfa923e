"""M/G/1 whose server must wake up: whoever comes while it is idle takes longer, by a time of its own.

What a wake-up is: cold caches, an event loop that sleeps in the kernel, a disk that spins up. The first service of each
busy period is the exceptional one.

Source: P. D. Welch, "On a generalized M/G/1 queuing process in which the first customer of each busy period receives
exceptional service", Operations Research 12 (1964).
"""

from __future__ import annotations

from lab.theory import domain
from lab.theory.utilisation import stable_utilisation


def idle_share(*, arrival_rate_per_s: float, service_time_s: float, wake_up_s: float) -> float:
    """Return the share of requests that find the server idle (by PASTA also that of time).

    Args:
        arrival_rate_per_s: Poisson arrivals, 0 or above.
        service_time_s: mean time of serving one request, the wake-up left out, above 0.
        wake_up_s: mean time of a wake-up, 0 or above.

    Raises:
        DomainError: an argument outside of what is said above.
        Unstable: utilisation of 1 or more, wake-ups left out: a server that is always busy has none.

    >>> round(idle_share(arrival_rate_per_s=5, service_time_s=0.1, wake_up_s=0.05), 9)
    0.4
    """
    busy = stable_utilisation(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    return (1 - busy) / (1 + arrival_rate_per_s * domain.non_negative(wake_up_s, name="wake_up_s"))


def sojourn_time_s_mean(
    *,
    arrival_rate_per_s: float,
    service_time_s: float,
    service_time_scv: float,
    wake_up_s: float,
    wake_up_scv: float = 0.0,
) -> float:
    """Return the mean time from arrival to the end of service, first come first served.

    Args:
        arrival_rate_per_s: Poisson arrivals, 0 or above.
        service_time_s: mean time of serving one request, the wake-up left out, above 0.
        service_time_scv: its squared coefficient of variation, 0 or above.
        wake_up_s: mean time of a wake-up, 0 or above; it hangs on nothing else.
        wake_up_scv: its squared coefficient of variation, 0 or above.

    Raises:
        DomainError: an argument outside of what is said above.
        Unstable: utilisation of 1 or more, wake-ups left out.

    >>> round(sojourn_time_s_mean(  # without a wake-up it is M/M/1
    ...     arrival_rate_per_s=5, service_time_s=0.1, service_time_scv=1, wake_up_s=0), 9)
    0.2
    """
    idle = idle_share(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s, wake_up_s=wake_up_s)
    busy = arrival_rate_per_s * service_time_s
    serving_2 = service_time_s**2 * (1 + domain.non_negative(service_time_scv, name="service_time_scv"))
    wake_up_2 = wake_up_s**2 * (1 + domain.non_negative(wake_up_scv, name="wake_up_scv"))
    exceptional_more_2 = 2 * wake_up_s * service_time_s + wake_up_2
    waiting_s = arrival_rate_per_s * serving_2 / (2 * (1 - busy))
    waiting_s += arrival_rate_per_s * exceptional_more_2 / (2 * (1 + arrival_rate_per_s * wake_up_s))
    return waiting_s + service_time_s + idle * wake_up_s
