"""What can be said of times some of which were cut off: the Kaplan-Meier estimate.

Source: Kaplan and Meier (1958), "Nonparametric estimation from incomplete observations", JASA 53. Leaving out what was
cut off makes times look shorter than they are; counting the bound as the time does too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def kaplan_meier(values_s: Array, above_s: Array) -> tuple[Array, Array]:
    """Return the distinct complete times in order, and the estimated probability of a longer time after each.

    >>> times, longer = kaplan_meier(np.array([1.0, 3.0]), np.array([2.0]))
    >>> [round(float(p), 3) for p in longer]
    [0.667, 0.0]
    """
    times, ended = np.unique(values_s, return_counts=True)
    at_risk = len(values_s) - np.searchsorted(np.sort(values_s), times)
    at_risk = at_risk + len(above_s) - np.searchsorted(np.sort(above_s), times)
    return times, np.cumprod(1 - ended / at_risk, dtype=np.float64)


def equal_parts(values_s: Array, above_s: Array, count: int) -> Array:
    """Return ``count`` times, each as likely as the other, ascending, that have the mean of the estimate.

    Each is the mean of its part. What lies beyond the last complete time is put at the longest bound, since nothing is
    known of it but that it is longer.
    """
    times, longer = kaplan_meier(values_s, above_s)
    weights = -np.diff(longer, prepend=1.0)
    if longer[-1] > 1e-12:  # noqa: PLR2004  # rounding
        times = np.append(times, max(float(times[-1]), float(above_s.max(initial=0.0))))
        weights = np.append(weights, longer[-1])
    # The integral of the quantile function over each part: exact, however the jumps fall.
    reached = np.concatenate(([0.0], np.cumsum(weights)))
    area = np.concatenate(([0.0], np.cumsum(weights * times)))
    edges = np.linspace(0.0, reached[-1], count + 1)
    parts: Array = np.diff(np.interp(edges, reached, area)) * count / reached[-1]
    return parts


def mean_s(values_s: Array, above_s: Array) -> float:
    """Return the mean of the estimate, with what is beyond the last complete time at the longest bound."""
    if not len(above_s):
        return float(values_s.mean())
    return float(equal_parts(values_s, above_s, 1)[0])


def distance(values_s: Array, above_s: Array, probabilities: Array) -> float:
    """Return the largest difference between the estimate and a distribution function (Kolmogorov's D).

    Args:
        values_s: complete times.
        above_s: bounds.
        probabilities: the distribution function at the distinct complete times in order.
    """
    _, longer = kaplan_meier(values_s, above_s)
    after, before = 1 - longer, np.concatenate(([0.0], 1 - longer[:-1]))
    return float(np.maximum(np.abs(after - probabilities), np.abs(before - probabilities)).max())
