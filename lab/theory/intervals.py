"""Intervals around what was estimated.

The values given here are one number a replication (a mean, a quantile, a ratio of one run), never
the observations within a run: those depend on each other, and intervals over them are far too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lab.errors import DomainError, NotEnoughData
from lab.theory import domain
from lab.theory.moments import differences, moments
from lab.theory.student import normal_quantile, t_quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with the range around it.

    Attributes:
        low, high: the ends, both inside; in the unit of the values.
        mean: the estimate: the mean of the values (for a proportion: the share of successes).
        level: the confidence (or coverage) of the range, strictly between 0 and 1.
        n: how many independent values it stands on.
    """

    low: float
    high: float
    mean: float
    level: float
    n: int

    def __post_init__(self) -> None:
        """Refuse what is no interval."""
        if not self.low <= self.high:  # also refuses NaN
            raise DomainError(f"an interval from {self.low!r} to {self.high!r} is empty; give low <= high")

    @property
    def half_width(self) -> float:
        """Half the length of the interval."""
        return (self.high - self.low) / 2.0

    def contains(self, value: float) -> bool:
        """Return whether ``value`` lies in the interval, ends included (NaN never does)."""
        return self.low <= value <= self.high

    def overlaps(self, other: Interval) -> bool:
        """Return whether the two intervals have a point in common."""
        return self.low <= other.high and other.low <= self.high


def mean_interval(values: Iterable[float], level: float = 0.95) -> Interval:
    """Return the confidence interval of the mean, by Student's t.

    Assumes independent values that are roughly normal, as means over replications are.

    Args:
        values: one a replication, at least two.
        level: in (0, 1).

    Raises:
        NotEnoughData: fewer than two values. DomainError: a value that is not finite.

    Source: Law (2015), Simulation Modeling and Analysis, chapter 4 (whose ten values these are).

    >>> law = [1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09]
    >>> interval = mean_interval(law, 0.90)
    >>> f"{interval.mean:.2f} +- {interval.half_width:.2f}"
    '1.34 +- 0.24'
    """
    sample = moments(values)
    return _t_interval(mean=sample.mean, error=sample.standard_error, level=level, n=sample.n)


def prediction_interval(values: Iterable[float], level: float = 0.95) -> Interval:
    """Return the interval in which one further value falls with probability ``level``.

    It is mean +- t s sqrt(1 + 1/n): wider than the interval of the mean, and it does not shrink to
    nothing with more replications, since a single real run scatters too. Assumptions, arguments and
    errors as in ``mean_interval``.

    Source: Hahn and Meeker (1991), Statistical Intervals, chapter 4.

    >>> interval = prediction_interval([1.0, 2.0, 3.0], 0.95)  # 4.303 = t(0.975; 2), s = 1
    >>> f"{interval.half_width:.3f} = {4.3027 * math.sqrt(1 + 1 / 3):.3f}"
    '4.968 = 4.968'
    """
    sample = moments(values)
    error = sample.deviation * math.sqrt(1.0 + 1.0 / sample.n)
    return _t_interval(mean=sample.mean, error=error, level=level, n=sample.n)


def quantile_interval(replications: Iterable[ArrayLike], quantile: float, level: float = 0.95) -> Interval:
    """Return the confidence interval of a quantile: one quantile a replication, then Student's t over these.

    Within a replication the quantile interpolates linearly (Hyndman and Fan's type 7, as NumPy and
    pandas do). Pooling the observations would hide how much whole runs differ.

    Args:
        replications: the observations of each replication, at least two replications.
        quantile: in (0, 1), 0.99 for the p99.
        level: in (0, 1).

    Raises:
        NotEnoughData: fewer than two replications, or one with so few observations that none is
            expected beyond the quantile (a p99 needs 100): its "quantile" would be its extreme.
        DomainError: an observation that is not finite.

    >>> interval = quantile_interval([range(0, 101), range(2, 103)], 0.9)
    >>> interval.mean
    91.0
    """
    q = domain.open_probability(quantile, name="quantile")
    needed = math.ceil(1.0 / min(q, 1.0 - q) - 1e-9)  # 1 / (1 - 0.9) is 10.000000000000002 in floats
    per_replication = []
    for number, replication in enumerate(replications):
        observations = np.asarray(replication, dtype=np.float64).ravel()
        if not np.isfinite(observations).all():
            raise DomainError(
                f"replication {number} holds NaN or an infinity, whose quantile means nothing; drop requests "
                "without an answer first, and say so"
            )
        if observations.size < needed:
            raise NotEnoughData(
                f"replication {number} has {observations.size} observations, but a {q:g} quantile needs "
                f"{needed} or more to have any beyond it; run longer or ask for a less extreme quantile"
            )
        per_replication.append(float(np.quantile(observations, q)))
    return mean_interval(per_replication, level)


def paired_interval(a: Iterable[float], b: Iterable[float], level: float = 0.95) -> Interval:
    """Return the confidence interval of the mean of ``a - b``, value by value.

    For two variants simulated on common random numbers, or a prediction of each measured run: what
    both share cancels. 0 outside the interval means a difference.

    Args:
        a: one value a replication.
        b: as many, of the same replications in the same order.
        level: in (0, 1).

    Raises:
        NotEnoughData: fewer than two pairs. DomainError: different numbers of values.

    >>> paired_interval([3.0, 5.0, 7.0], [2.0, 4.0, 6.0]).mean
    1.0
    """
    return mean_interval(differences(a, b), level)


def proportion_interval(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Return Wilson's confidence interval of a probability; 0 of n and n of n keep an honest width.

    Args:
        successes: how many of the independent trials passed, 0..trials.
        trials: at least one.
        level: in (0, 1).

    Raises:
        NotEnoughData: no trial. DomainError: more successes than trials.

    Source: Wilson (1927), JASA 22; numbers of Newcombe (1998), Statistics in Medicine 17, table I.

    >>> interval = proportion_interval(81, 263)
    >>> f"{interval.low:.4f} to {interval.high:.4f}"
    '0.2553 to 0.3662'
    """
    n = domain.whole(trials, name="trials", at_least=0)
    k = domain.whole(successes, name="successes", at_least=0)
    if n == 0:
        raise NotEnoughData("a proportion was asked for, but there was no trial; run at least one")
    if k > n:
        raise DomainError(f"successes is {k}, but there were only {n} trials; count each trial once")
    z = normal_quantile(0.5 + _level(level) / 2.0)
    share = k / n
    scale = 1.0 + z * z / n
    centre = (share + z * z / (2.0 * n)) / scale
    half = z / scale * math.sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n))
    # At the ends the formula gives exactly 0 and 1; rounding must not exclude the estimate itself.
    low = 0.0 if k == 0 else centre - half
    high = 1.0 if k == n else centre + half
    return Interval(low=low, high=high, mean=share, level=level, n=n)


def _t_interval(*, mean: float, error: float, level: float, n: int) -> Interval:
    half = t_quantile(0.5 + _level(level) / 2.0, degrees_of_freedom=n - 1) * error
    return Interval(low=mean - half, high=mean + half, mean=mean, level=level, n=n)


def _level(level: float) -> float:
    return domain.open_probability(level, name="level")
