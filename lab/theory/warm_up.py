"""MSER-5: how much of the start of a run to drop, because the system was still filling.

Dropping more removes bias but leaves fewer observations; MSER drops what makes the standard error of the mean
of the rest smallest, after averaging the series in batches of five to smooth it.

Source: White (1997), Simulation 69, 323-334; White, Cobb and Spratt (2000), Winter Simulation Conference;
the rule to distrust an optimum in the second half: Hoad, Robinson and Davies (2010), JORS 61.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lab.errors import DomainError, NotEnoughData
from lab.theory import domain

_FEWEST_BATCHES = 10
_KEPT_BATCHES = 5  # of fewer, some are alike by chance, and the standard error is small for no reason


def truncation_point(series: ArrayLike, *, batch_size: int = 5) -> int:
    """Return how many observations to drop from the start: a multiple of ``batch_size``, possibly 0.

    Args:
        series: observations in order of time, shape (n,), finite. A rest that fills no batch is ignored.
        batch_size: observations averaged into one, at least one; 5 is the rule that was studied.

    Raises:
        NotEnoughData: fewer than ten batches, or the optimum lies in the second half of the series: then
            the run ended before it had settled, and no truncation makes it right.
        DomainError: an observation that is not finite, or a series of another shape.

    >>> truncation_point([100.0] * 20 + [1.0, 3.0] * 90)
    20
    """
    size = domain.whole(batch_size, name="batch_size", at_least=1)
    values = np.asarray(series, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise DomainError(
            f"the series (shape {values.shape}) must be flat and hold finite numbers only, or no mean of it "
            "means anything; drop requests without an answer first, and say so"
        )
    count = values.size // size
    if count < _FEWEST_BATCHES:
        raise NotEnoughData(
            f"a warm-up was to be found in {values.size} observations, {count} batches of {size}, but "
            f"{_FEWEST_BATCHES} batches are needed to tell a start from a steady state; run longer"
        )
    batches = values[: count * size].reshape(count, size).mean(axis=1)
    best = int(np.argmin(_marginal_standard_errors(batches)))
    if 2 * best > count:
        raise NotEnoughData(
            f"MSER would drop {best * size} of {values.size} observations, more than half: the run ended "
            "before it settled (or never does); run longer, or give the scenario a warm_up of its own"
        )
    return best * size


def _marginal_standard_errors(batches: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of squares over the squared count of what is left after dropping 0, 1, .. batches."""
    # Measured from a value in the midst of the late batches: then small squares are not lost in large ones,
    # and a constant series has squares of exactly 0.
    shifted = batches - np.sort(batches[len(batches) // 2 :])[len(batches) // 4]
    left = np.arange(1, len(batches) + 1)
    sums = np.cumsum(shifted[::-1])
    squares = np.cumsum(shifted[::-1] ** 2)
    scatter = np.maximum(squares - sums**2 / left, 0.0)
    return (scatter / left**2)[::-1][: len(batches) - _KEPT_BATCHES + 1]
