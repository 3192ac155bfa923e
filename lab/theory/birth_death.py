"""Birth-death chains: how often a number that moves by one at a time takes each value.

In the steady state it goes up from n as often as it comes down from n + 1, so neighbouring shares of
time are in the ratio of the rates between them.

Source: Kleinrock (1975), Queueing Systems I, chapter 3.
"""

from __future__ import annotations

import math
from collections.abc import Iterable


def log_weights(*, up_per_s: Iterable[float], down_per_s: Iterable[float]) -> tuple[float, ...]:
    """Return the logarithms of the shares up to a common constant; as plain products they would overflow.

    Args:
        up_per_s: rates from 0 to 1, from 1 to 2, and so on, 0 or above.
        down_per_s: rates from 1 to 0, from 2 to 1, and so on, above 0; as many.
    """
    weights = [0.0]
    for up, down in zip(up_per_s, down_per_s, strict=True):
        log_up = math.log(up) if up > 0.0 else -math.inf
        weights.append(weights[-1] + log_up - math.log(down))
    return tuple(weights)


def normalised(weights: tuple[float, ...]) -> tuple[float, ...]:
    """Return the shares of time, of sum 1, from logarithms of weights (some, not all, minus infinity).

    >>> normalised(log_weights(up_per_s=[1.0, 1.0, 1.0], down_per_s=[1.0, 1.0, 1.0]))
    (0.25, 0.25, 0.25, 0.25)
    """
    top = max(weights)
    shares = [math.exp(weight - top) for weight in weights]
    total = math.fsum(shares)
    return tuple(share / total for share in shares)
