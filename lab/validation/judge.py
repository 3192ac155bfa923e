"""One figure, predicted and measured: error, noise, interval, verdict."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from lab.errors import NotEnoughData
from lab.theory.equivalence import tost_difference, tost_log_ratio
from lab.theory.intervals import Interval, prediction_interval
from lab.validation.margins import Margin

_ENOUGH_FOR_TOST = 5  # measured repeats that the protocol asks of a full case


class Verdict(StrEnum):
    """What is said of one figure, and of a whole comparison."""

    PASS = "pass"  # noqa: S105  # a verdict, not a password
    MISS = "miss"
    INCONCLUSIVE = "inconclusive"
    SHOWN = "shown"  # no margin: for information


GRAVEST_FIRST = (Verdict.MISS, Verdict.INCONCLUSIVE, Verdict.PASS)


def gravest(verdicts: Iterable[Verdict]) -> Verdict:
    """Return what is said of several together: a miss outweighs what was inconclusive, and that outweighs a pass."""
    said = set(verdicts)
    return next((each for each in GRAVEST_FIRST if each in said), Verdict.PASS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure in both worlds.

    Attributes:
        predicted, measured: SI units; the measured value is the median over repeats.
        error: (predicted - measured) / measured where the margin is relative, else predicted - measured.
        noise: run-to-run spread of the measurement (standard deviation over repeats), on the error's scale;
            nan with one repeat.
        low, high: the 95 % prediction interval over replications; nan with one.
        basis: on what the verdict stands.
    """

    metric: str
    subject: str
    unit: str
    predicted: float
    measured: float
    error: float
    noise: float
    low: float
    high: float
    margin: Margin | None
    verdict: Verdict
    basis: str


def judge(
    *,
    name: tuple[str, str, str],
    predicted: float,
    replications: list[float],
    repeats: list[float],
    margin: Margin | None,
) -> Row:
    """Return the row of one figure.

    Args:
        name: metric, subject, unit.
        predicted: the value to compare: of the paired replication, or the mean over replications.
        replications: the predicted value of every replication, for the prediction interval.
        repeats: the measured value of every repeat.
    """
    if not repeats:
        raise NotEnoughData(f"{name[0]} of {name[1]} was not measured, so there is nothing to compare")
    measured = statistics.median(repeats)
    relative = margin is not None and margin.kind == "relative"
    scale = abs(measured) if relative else 1.0
    spread = statistics.stdev(repeats) if len(repeats) > 1 else math.nan
    interval = prediction_interval(replications) if len(replications) > 1 else None
    verdict, basis = _verdict(predicted, measured, repeats, interval, margin, scale=scale, spread=spread)
    return Row(
        metric=name[0],
        subject=name[1],
        unit=name[2],
        predicted=predicted,
        measured=measured,
        error=(predicted - measured) / scale if scale else math.nan,
        noise=spread / scale if scale else math.nan,
        low=interval.low if interval else math.nan,
        high=interval.high if interval else math.nan,
        margin=margin,
        verdict=verdict,
        basis=basis,
    )


def _verdict(  # noqa: PLR0913  # the figures that a verdict weighs
    predicted: float,
    measured: float,
    repeats: list[float],
    interval: Interval | None,
    margin: Margin | None,
    *,
    scale: float,
    spread: float,
) -> tuple[Verdict, str]:
    if margin is None:
        return Verdict.SHOWN, ""
    within = abs(predicted - measured) <= margin.value * scale
    if len(repeats) >= _ENOUGH_FOR_TOST:
        tost = tost_log_ratio if margin.kind == "relative" else tost_difference
        if (margin.kind == "absolute" or min(predicted, *repeats) > 0) and tost(
            predicted, repeats, margin.value
        ).equivalent:
            return Verdict.PASS, "equivalent (TOST)"
        if all(repeat == predicted for repeat in repeats):
            return Verdict.PASS, "equal in every repeat"  # 0 s to recover, and it took none: there is no log ratio
    elif within:
        return Verdict.PASS, f"within the margin ({len(repeats)} repeat{'s' if len(repeats) > 1 else ''})"
    noisy = not math.isnan(spread) and spread > margin.value * scale
    if noisy and interval is not None and interval.low <= measured <= interval.high:
        return Verdict.PASS, "noise exceeds the margin; inside the 95 % prediction interval"
    return Verdict.MISS, "outside the margin" if not within else "not shown to be within the margin"
