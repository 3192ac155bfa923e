"""Are two worlds the same within a margin? Two one-sided tests (TOST), so that few data cannot pass.

An ordinary test asks "is a difference proven?" and so rewards small samples with a "no". Here the
model has to prove that it lies within the margin; scattered or few measurements are "undecided".
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from lab.errors import DomainError
from lab.theory import domain
from lab.theory.intervals import Interval, mean_interval
from lab.theory.moments import differences, moments
from lab.theory.student import t_cdf

_ALPHA_LIMIT = 0.5  # beyond it the interval at level 1 - 2 alpha is none


class Verdict(StrEnum):
    """What an equivalence test can say."""

    EQUIVALENT = "equivalent"  # shown to lie within the margin
    DIFFERENT = "different"  # shown to lie outside it
    UNDECIDED = "undecided"  # the values scatter too widely to tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """The outcome of two one-sided tests.

    Attributes:
        interval: of the quantity judged (a ratio or a difference), at level 1 - 2 alpha.
        low_margin, high_margin: the range that counts as the same, in the unit of ``interval``.
        alpha: the accepted risk of calling a model equivalent that lies outside the margin.
        p_value: the smallest alpha at which it would still be called equivalent.
        verdict: equivalent, different or undecided.
    """

    interval: Interval
    low_margin: float
    high_margin: float
    alpha: float
    p_value: float
    verdict: Verdict

    @property
    def equivalent(self) -> bool:
        """Whether equivalence was shown."""
        return self.verdict is Verdict.EQUIVALENT


def tost_log_ratio(
    predicted: float | Iterable[float], measured: Iterable[float], margin: float, alpha: float = 0.05
) -> Equivalence:
    """Return whether predicted / measured is 1 within a relative margin, judged on its logarithm.

    On the log scale the margin is symmetric: ``0.1`` allows ratios from 1/1.1 to 1.1. The result's
    interval is of the ratio, its mean the geometric mean; the bias is ``interval.mean - 1``.

    Assumes that the logs of the ratios of different measured runs are independent and roughly normal. A
    single prediction counts as exact: give it from enough replications that its own error is small.

    Args:
        predicted: one prediction, or one for each measured run where these were replayed (paired). Above 0.
        measured: one value a measured run, at least two, above 0.
        margin: relative, above 0 (0.1 is 10 %).
        alpha: risk of a false "equivalent", in (0, 0.5).

    Raises:
        NotEnoughData: fewer than two measurements.
        DomainError: a value of 0 or below (it has no logarithm; judge ratios that can be 0, such as
            errors and hits, by ``tost_difference``), or pairs that do not match.

    Source: Schuirmann (1987), J. Pharmacokinetics and Biopharmaceutics 15; for models: Robinson and
    Froese (2004), Ecological Modelling 176, 349-358.

    >>> tost_log_ratio(102.0, [99.0, 101.0, 100.0, 98.0, 102.0], 0.1).verdict.value
    'equivalent'
    """
    width = domain.positive(margin, name="margin")
    measurements = [math.log(domain.positive(value, name="measured")) for value in measured]
    predictions = [
        math.log(domain.positive(value, name="predicted")) for value in _as_many(predicted, len(measurements))
    ]
    logs = _tost(differences(predictions, measurements), bound=math.log1p(width), alpha=alpha)
    ratio = Interval(
        low=math.exp(logs.interval.low),
        high=math.exp(logs.interval.high),
        mean=math.exp(logs.interval.mean),
        level=logs.interval.level,
        n=logs.interval.n,
    )
    return Equivalence(
        interval=ratio,
        low_margin=1.0 / (1.0 + width),
        high_margin=1.0 + width,
        alpha=alpha,
        p_value=logs.p_value,
        verdict=logs.verdict,
    )


def tost_difference(
    predicted: float | Iterable[float], measured: Iterable[float], margin: float, alpha: float = 0.05
) -> Equivalence:
    """Return whether predicted - measured is 0 within an absolute margin, in the unit of the values.

    For error and hit ratios, whose margins are absolute. Assumptions, arguments and errors as in
    ``tost_log_ratio``, but values may be 0 or negative, and are judged as they are.

    >>> tost_difference(0.80, [0.79, 0.80, 0.81], 0.01).verdict.value
    'undecided'
    """
    measurements = tuple(measured)
    pairs = differences(_as_many(predicted, len(measurements)), measurements)
    return _tost(pairs, bound=domain.positive(margin, name="margin"), alpha=alpha)


def _tost(values: list[float], *, bound: float, alpha: float) -> Equivalence:
    if not 0.0 < alpha < _ALPHA_LIMIT:
        raise DomainError(f"alpha is {alpha!r}, but a risk lies strictly between 0 and 0.5; 0.05 is usual")
    sample = moments(values)
    interval = mean_interval(values, 1.0 - 2.0 * alpha)
    # How far the mean lies inside the nearer margin, in standard errors, decides both one-sided tests.
    inside = bound - abs(sample.mean)
    error = sample.standard_error
    distance = inside / error if error > 0.0 else math.copysign(math.inf, inside)
    p_value = t_cdf(-distance, degrees_of_freedom=sample.n - 1)
    if p_value < alpha:
        verdict = Verdict.EQUIVALENT
    elif interval.low > bound or interval.high < -bound:
        verdict = Verdict.DIFFERENT
    else:
        verdict = Verdict.UNDECIDED
    return Equivalence(
        interval=interval, low_margin=-bound, high_margin=bound, alpha=alpha, p_value=p_value, verdict=verdict
    )


def _as_many(predicted: float | Iterable[float], count: int) -> Iterable[float]:
    return predicted if isinstance(predicted, Iterable) else [predicted] * count
