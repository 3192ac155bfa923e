"""Little's law: what is in a system on average is what flows through it times how long it stays.

It holds for any stable system, any order of service and any distribution, as long as the three
quantities are averages over the same requests and the same long time.

Source: Little (1961), "A proof for the queuing formula L = lambda W", Operations Research 9.
"""

from __future__ import annotations

from lab.theory import domain


def number_in_system(*, throughput_per_s: float, sojourn_time_s: float) -> float:
    """Return the mean number in the system (also of a part of it: pass that part's times).

    Args:
        throughput_per_s: requests that pass, per second, 0 or above.
        sojourn_time_s: mean time from entering to leaving, 0 or above.

    >>> number_in_system(throughput_per_s=32.0, sojourn_time_s=0.25)
    8.0
    """
    rate = domain.non_negative(throughput_per_s, name="throughput_per_s")
    return rate * domain.non_negative(sojourn_time_s, name="sojourn_time_s")


def sojourn_time_s(*, number_in_system: float, throughput_per_s: float) -> float:
    """Return the mean time in the system, in seconds.

    Args:
        number_in_system: mean number, 0 or above.
        throughput_per_s: above 0; where nothing flows there is no time to speak of.

    >>> sojourn_time_s(number_in_system=8.0, throughput_per_s=32.0)
    0.25
    """
    number = domain.non_negative(number_in_system, name="number_in_system")
    return number / domain.positive(throughput_per_s, name="throughput_per_s")


def throughput_per_s(*, number_in_system: float, sojourn_time_s: float) -> float:
    """Return how many requests pass per second.

    Args:
        number_in_system: mean number, 0 or above.
        sojourn_time_s: mean, above 0.

    >>> throughput_per_s(number_in_system=8.0, sojourn_time_s=0.25)
    32.0
    """
    number = domain.non_negative(number_in_system, name="number_in_system")
    return number / domain.positive(sojourn_time_s, name="sojourn_time_s")
