"""Quantiles of times that are not kept: a histogram whose buckets are as narrow as a share of their place.

A bucket holds the times that share their exponent and the first eight bits of their mantissa, so it is at most 1/256 as
wide as the times in it, and a time in its midst is within 1/512 (0.2 %) of each of them. Bits are read, no logarithm is
taken: the same times fall into the same buckets on any machine.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lab.errors import NotEnoughData

RELATIVE_ERROR = 2.0**-9
_SHIFT = 44  # of a double's 52 bits of mantissa, 8 stay

Floats = np.ndarray[Any, np.dtype[np.float64]]
Integers = np.ndarray[Any, np.dtype[np.int64]]


def buckets_of(times_s: Floats) -> Integers:
    """Return the bucket of each time; times are 0 or more, and a longer one never has a lower bucket.

    >>> buckets_of(np.array([0.0, 0.5, 1.0])).tolist()
    [0, 261632, 261888]
    """
    return np.asarray(times_s + 0.0).view(np.int64) >> _SHIFT


def times_of(buckets: Integers) -> Floats:
    """Return a time in the midst of each bucket, in seconds, which errs as much at either end.

    Bucket 0 holds no time but 0 (and less than any clock shows).

    >>> round(float(times_of(buckets_of(np.array([1.0])))[0]), 6)
    1.001949
    """
    low, high = ((buckets + more << _SHIFT).view(np.float64) for more in (0, 1))
    return np.where(buckets == 0, 0.0, 2 * low * (high / (low + high)))


def quantile(buckets: Integers, counts: Integers, share: float) -> float:
    """Return a quantile of the times in the buckets, linear between order statistics, within ``RELATIVE_ERROR``.

    Args:
        buckets: ascending, each once.
        counts: how many times each holds.
        share: in [0, 1].

    Raises:
        NotEnoughData: no time was counted.
    """
    total = int(counts.sum())
    if total == 0:
        raise NotEnoughData("no time was counted, so there is no quantile")
    place = share * (total - 1)
    last = np.cumsum(counts) - 1  # the order statistics that end each bucket
    low, high = np.searchsorted(last, [np.floor(place), np.ceil(place)])
    below, above = times_of(buckets[[low, high]])
    return float(below + (above - below) * (place - np.floor(place)))
