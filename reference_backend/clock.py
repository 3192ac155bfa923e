"""The clocks of a repeat: the monotonic one, which all processes share, and the wall clock that HAProxy writes."""

from __future__ import annotations

import time
from dataclasses import dataclass

_LOOKS = 5
# Requests leave after the schedule's zero. HAProxy's times come by way of the wall clock, which may drift a little.
_TOLERANCE_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Where the schedule's zero lies on the monotonic clock, and how far the wall clock is ahead of that."""

    zero_s: float
    wall_ahead_s: float

    def is_of_this_repeat(self, arrival_s: float) -> bool:
        """Return whether what arrived then (relative to the zero) belongs here, and not to a repeat before it.

        >>> Clock(zero_s=100.0, wall_ahead_s=0.0).is_of_this_repeat(-3.0)
        False
        """
        return arrival_s > -_TOLERANCE_S


def wall_ahead_s() -> float:
    """Return how far the wall clock is ahead of the monotonic one, from the look that was least disturbed."""
    looks = []
    for _ in range(_LOOKS):
        before_s, wall_s, after_s = time.monotonic(), time.time(), time.monotonic()
        looks.append((after_s - before_s, wall_s - (before_s + after_s) / 2))
    return min(looks)[1]
