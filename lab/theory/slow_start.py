"""TCP's slow start: how long the bytes of a transfer take on a path that loses nothing."""

from __future__ import annotations

import math

from lab.errors import DomainError
from lab.theory.domain import non_negative

INITIAL_WINDOW_BYTES = 14_600.0
"""Ten packets of 1460 B (RFC 6928)."""


def transfer_time_s(*, size_bytes: float, round_trip_s: float, bandwidth_bit_per_s: float = math.inf) -> float:
    """Return the time in seconds from the first byte sent to the last byte sent.

    The sender sends a window, waits until its first byte is acknowledged, a round trip after it was sent, and doubles
    the window each time, until sending one takes as long as the round trip (it holds the bandwidth-delay product):
    ``size / bandwidth + sum over the windows before the last of max(0, round trip - window / bandwidth)``.

    Args:
        size_bytes: what is sent, 0 or more.
        round_trip_s: there and back, 0 or more.
        bandwidth_bit_per_s: above 0; infinite: no limit.

    Raises:
        DomainError: outside of these.

    Source: Kurose and Ross, "Computer Networking", on the delay of TCP's slow start; initial window of RFC 6928.

    >>> round(transfer_time_s(size_bytes=32_768, round_trip_s=0.07, bandwidth_bit_per_s=12e6), 6)
    0.082112
    """
    left = non_negative(size_bytes, name="size_bytes", unit="B")
    trip_s = non_negative(round_trip_s, name="round_trip_s", unit="s")
    if not bandwidth_bit_per_s > 0:
        raise DomainError(f"bandwidth_bit_per_s is {bandwidth_bit_per_s!r}, but nothing arrives then; give more than 0")
    per_s = bandwidth_bit_per_s / 8
    window, time_s = INITIAL_WINDOW_BYTES, left / per_s
    while left > window and (stall_s := trip_s - window / per_s) > 0:
        time_s += stall_s
        left -= window
        window *= 2
    return time_s
