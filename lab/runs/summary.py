"""Figures over replications: an interval for the mean, and one for the next single run."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from lab.errors import NotEnoughData
from lab.runs.metrics import ALL, UNITS
from lab.theory.intervals import mean_interval, prediction_interval

COLUMNS = (
    "metric",
    "subject",
    "estimate",
    "low",
    "high",
    "prediction_low",
    "prediction_high",
    "replications",
    "unit",
)


def summary_frame(metrics: pd.DataFrame, *, level: float) -> pd.DataFrame:
    """Return each figure's mean over replications with its intervals.

    Each replication is summed up by itself first, so a quantile is never taken of quantiles. Where only one
    replication has the figure, there is an estimate and no interval (NaN).

    Args:
        metrics: the frame of :func:`lab.runs.metrics.metrics_frame`.
        level: of both intervals, in (0, 1).

    Returns:
        One row a (metric, subject): estimate, low and high (Student t, for the mean), prediction_low and
        prediction_high (for a further single run), replications that have the figure, unit.
    """
    order = {metric: place for place, metric in enumerate(UNITS)}
    rows: list[tuple[str, str, float, float, float, float, float, int, str]] = []
    for _, own in metrics.groupby(["metric", "subject"], sort=False):
        metric, subject, unit = (str(own[name].iloc[0]) for name in ("metric", "subject", "unit"))
        values = np.asarray(own["value"], dtype=float)
        rows.append((metric, subject, *estimate(values, level=level), len(values), unit))
    rows.sort(key=lambda row: (order[row[0]], row[1] != ALL, row[1]))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def estimate(values: np.ndarray[Any, Any], *, level: float) -> tuple[float, float, float, float, float]:
    """Return mean, low, high, prediction_low and prediction_high of one value a replication.

    Raises:
        NotEnoughData: there is no value at all.
    """
    if len(values) == 0:
        raise NotEnoughData("no replication has a value, so there is nothing to estimate")
    mean = float(np.mean(values))
    if len(values) == 1:
        return mean, math.nan, math.nan, math.nan, math.nan
    about, ahead = mean_interval(values, level), prediction_interval(values, level)
    return mean, about.low, about.high, ahead.low, ahead.high
