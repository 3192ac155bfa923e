"""The fluid view of an overload: what comes in above capacity piles up, and drains at what is spare.

Arrivals and service are taken as smooth flows, which is right where the backlog is large against its random
ups and downs: for a spike well above capacity, not for a queue near it.

Source: Newell (1982), Applications of Queueing Theory, 2nd ed., chapter 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lab.errors import DomainError, Unstable
from lab.theory import domain


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeBacklog:
    """What a spike leaves behind.

    Attributes:
        peak: largest number waiting; 0 if capacity suffices throughout.
        peak_at_s: when that is, in seconds from the start of the rise; 0 if nothing piles up.
        empty_at_s: when the last of it is worked off, likewise.
        waiting_time_s_max: wait of who comes at the peak of the backlog.
    """

    peak: float
    peak_at_s: float
    empty_at_s: float
    waiting_time_s_max: float


def growth(*, arrival_rate_per_s: float, capacity_per_s: float, duration_s: float) -> float:
    """Return how many more wait after ``duration_s`` of a constant overload; 0 where capacity suffices.

    Args:
        arrival_rate_per_s: 0 or above.
        capacity_per_s: servers over mean service time, above 0.
        duration_s: 0 or above.

    >>> growth(arrival_rate_per_s=200.0, capacity_per_s=150.0, duration_s=30.0)
    1500.0
    """
    arrivals = domain.non_negative(arrival_rate_per_s, name="arrival_rate_per_s")
    capacity = domain.positive(capacity_per_s, name="capacity_per_s")
    return max(arrivals - capacity, 0.0) * domain.non_negative(duration_s, name="duration_s")


def drain_time_s(*, backlog: float, arrival_rate_per_s: float, capacity_per_s: float) -> float:
    """Return how long it takes to work off ``backlog`` requests while others keep coming.

    Args:
        backlog: requests waiting, 0 or above.
        arrival_rate_per_s: of those that keep coming, 0 or above.
        capacity_per_s: servers over mean service time, above 0.

    Raises:
        Unstable: there is a backlog, and no capacity to spare for it.

    >>> drain_time_s(backlog=1500.0, arrival_rate_per_s=100.0, capacity_per_s=150.0)
    30.0
    """
    waiting = domain.non_negative(backlog, name="backlog")
    arrivals = domain.non_negative(arrival_rate_per_s, name="arrival_rate_per_s")
    capacity = domain.positive(capacity_per_s, name="capacity_per_s")
    if waiting == 0.0:
        return 0.0
    if arrivals >= capacity:
        raise Unstable(
            f"a backlog of {waiting:g} never drains: {arrivals:g}/s arrive and {capacity:g}/s can be served, "
            f"so {capacity - arrivals:g}/s are spare; add capacity or shed arrivals"
        )
    return waiting / (capacity - arrivals)


def spike(
    *,
    base_per_s: float,
    peak_per_s: float,
    rise_s: float,
    hold_s: float,
    fall_s: float,
    capacity_per_s: float,
) -> SpikeBacklog:
    """Return the backlog of arrivals that rise linearly from base to peak, hold, and fall back to base.

    Args:
        base_per_s: arrival rate before and after, 0 or above.
        peak_per_s: arrival rate at the top, not below the base.
        rise_s: time from base to peak, 0 or above.
        hold_s: time at the peak, 0 or above.
        fall_s: time from peak to base, 0 or above.
        capacity_per_s: servers over mean service time, above 0.

    Raises:
        Unstable: the base alone takes all of the capacity, so that the backlog never drains.

    >>> found = spike(base_per_s=20, peak_per_s=200, rise_s=0, hold_s=30, fall_s=0, capacity_per_s=80)
    >>> found.peak, found.peak_at_s, found.empty_at_s
    (3600.0, 30.0, 90.0)
    """
    base = domain.non_negative(base_per_s, name="base_per_s")
    peak = domain.non_negative(peak_per_s, name="peak_per_s")
    rise = domain.non_negative(rise_s, name="rise_s")
    hold = domain.non_negative(hold_s, name="hold_s")
    fall = domain.non_negative(fall_s, name="fall_s")
    capacity = domain.positive(capacity_per_s, name="capacity_per_s")
    if peak < base:
        raise DomainError(f"peak_per_s is {peak:g}, but a spike rises from its base of {base:g}; swap them")
    if peak <= capacity:
        return SpikeBacklog(peak=0.0, peak_at_s=0.0, empty_at_s=0.0, waiting_time_s_max=0.0)
    above = (peak - capacity) / (peak - base) if peak > base else 1.0  # the share of each slope over capacity
    waiting = (peak - capacity) * (hold + above * (rise + fall) / 2.0)
    if waiting == 0.0:
        return SpikeBacklog(peak=0.0, peak_at_s=0.0, empty_at_s=0.0, waiting_time_s_max=0.0)
    # Called for its refusal of a base that leaves nothing to drain with.
    drain_time_s(backlog=waiting, arrival_rate_per_s=base, capacity_per_s=capacity)
    peak_at = rise + hold + above * fall
    # On the rest of the fall the spare capacity grows from 0 to capacity - base: on average half of that.
    rest = (1.0 - above) * fall
    if waiting <= (capacity - base) * rest / 2.0:
        drain = math.sqrt(2.0 * waiting * rest / (capacity - base))
    else:
        drain = rest / 2.0 + waiting / (capacity - base)
    return SpikeBacklog(
        peak=waiting, peak_at_s=peak_at, empty_at_s=peak_at + drain, waiting_time_s_max=waiting / capacity
    )
