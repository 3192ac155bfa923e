"""Calibrations of the repeats of one measurement, made into one: a machine is not as quick every minute."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from scipy import stats

from lab.calibration.self_check import shifted
from lab.scenario.calibration import CalibratedValue, Calibration


def mean_of_repeats(each: Sequence[Calibration]) -> Calibration:
    """Return one calibration of several repeats: means of their values, intervals that hold what lies between them.

    A time keeps the shape of the repeat that is nearest to the mean. The 95 % interval is that of the mean over the
    repeats by Student's t, or that of the observations if it is wider: what changes from minute to minute on a machine
    is no smaller for many observations within one minute.

    Args:
        each: of the same scenario and parameters, at least two.
    """
    first = each[0]
    parameters = {path: _mean_of([one.parameters[path] for one in each]) for path in first.parameters}
    notes = tuple(dict.fromkeys(note for one in each for note in one.notes))
    residuals = tuple(
        same[0].model_copy(
            update={
                key: statistics.fmean(getattr(residual, key) for residual in same)
                for key in ("predicted_s", "measured_s")
            }
        )
        for same in zip(*(one.residuals for one in each), strict=True)
    )
    return first.model_copy(
        update={"parameters": parameters, "residuals": residuals, "notes": (*notes, f"the mean of {len(each)} repeats")}
    ).sealed()


def _mean_of(each: Sequence[CalibratedValue]) -> CalibratedValue:
    means = [one.mean for one in each]
    mean = statistics.fmean(means)
    if isinstance(each[0].value, int):
        mean = statistics.median_low(means)
    typical = min(each, key=lambda one: abs(one.mean - mean))
    value = mean if isinstance(typical.value, float) else typical.value
    if not isinstance(typical.value, int | float):
        value = shifted(typical.value, mean - typical.mean)
    between = stats.t.ppf(0.975, len(each) - 1) * statistics.stdev(means) / math.sqrt(len(each))
    within = math.sqrt(statistics.fmean(((one.high - one.low) / 2) ** 2 for one in each) / len(each))
    half = max(float(between), within)
    return typical.model_copy(
        update={
            "value": value,
            "mean": mean,
            "low": max(0.0, mean - half),
            "high": mean + half,
            "observations": sum(one.observations for one in each),
            "censored": sum(one.censored for one in each),
            "method": f"{typical.method}; mean of {len(each)} repeats",
        }
    )
