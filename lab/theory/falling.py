"""Where a falling function reaches a level: how quantiles and characteristic times are found."""

from __future__ import annotations

import math
from collections.abc import Callable

from lab.errors import DomainError

_DOUBLINGS = 1100  # more than take the smallest float to the largest


def reaches(function: Callable[[float], float], *, level: float, scale: float) -> float:
    """Return the smallest ``x >= 0`` with ``function(x) <= level``, to the precision of floats.

    Args:
        function: does not rise on [0, infinity).
        level: a value that it gets down to.
        scale: a positive guess at x; any will do, a good one saves steps.

    Raises:
        DomainError: the function stays above the level.

    >>> round(reaches(lambda x: math.exp(-x), level=0.5, scale=1.0), 6)
    0.693147
    """
    if function(0.0) <= level:
        return 0.0
    low, high = 0.0, scale
    for _ in range(_DOUBLINGS):
        if function(high) <= level or math.isinf(high):
            break
        low, high = high, 2.0 * high
    if not function(high) <= level:
        raise DomainError(f"the function never falls to {level!r}; give a level that it reaches")
    while True:
        middle = low + (high - low) / 2.0
        if not low < middle < high:  # neighbouring floats: nothing lies between
            return high
        if function(middle) <= level:
            high = middle
        else:
            low = middle
