"""One server that stands still now and then, busy or not: M/G/1 with breakdowns, first come, first served.

Gaps between breakdowns are exponential; what is being served goes on where it was. So a service is stretched by the
breakdowns within it, and who comes while the server is down waits for the rest of that.

Source: B. Avi-Itzhak and P. Naor, "Some queuing problems with the service station subject to breakdown", Operations
Research 11 (1963), model A.
"""

from __future__ import annotations

from lab.theory import domain
from lab.theory.utilisation import stable_utilisation


def sojourn_time_s_mean(
    *,
    arrival_rate_per_s: float,
    service_time_s: float,
    service_time_scv: float,
    gap_s_mean: float,
    pause_s_mean: float,
    pause_scv: float,
) -> float:
    """Return the mean time from arrival to the end of service.

    Args:
        arrival_rate_per_s: Poisson arrivals, above 0.
        service_time_s: mean time of serving one request, pauses left out, above 0.
        service_time_scv: its squared coefficient of variation, 0 or above.
        gap_s_mean: mean time from the end of a pause to the next (exponential), above 0.
        pause_s_mean: mean length of a pause, above 0.
        pause_scv: its squared coefficient of variation, 0 or above.

    Raises:
        DomainError: an argument outside of what is said above.
        Unstable: with its pauses the server cannot do what is asked of it.

    >>> round(sojourn_time_s_mean(  # pauses that hardly ever come leave M/M/1
    ...     arrival_rate_per_s=5, service_time_s=0.1, service_time_scv=1,
    ...     gap_s_mean=1e9, pause_s_mean=1, pause_scv=0), 6)
    0.2
    """
    serving_s = domain.positive(service_time_s, name="service_time_s")
    serving_2 = serving_s**2 * (1 + domain.non_negative(service_time_scv, name="service_time_scv"))
    breaks_per_s = 1 / domain.positive(gap_s_mean, name="gap_s_mean")
    pause_s = domain.positive(pause_s_mean, name="pause_s_mean")
    pause_2 = pause_s**2 * (1 + domain.non_negative(pause_scv, name="pause_scv"))
    stretch = 1 + breaks_per_s * pause_s
    # First and second moment of a service with the pauses within it.
    whole_s, whole_2 = serving_s * stretch, serving_2 * stretch**2 + serving_s * breaks_per_s * pause_2
    busy = stable_utilisation(arrival_rate_per_s=arrival_rate_per_s, service_time_s=whole_s)
    waiting_s = arrival_rate_per_s * whole_2 / (2 * (1 - busy))
    return whole_s + waiting_s + breaks_per_s * pause_2 / (2 * stretch)
