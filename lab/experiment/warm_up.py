"""The warm-up of a scenario that leaves it to be found: MSER-5 over the replications' mean course."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from lab.errors import NotEnoughData
from lab.theory.warm_up import truncation_point

_BINS = 500


def possible_warm_ups_s(duration_s: float) -> list[float]:
    """Return the warm-ups in seconds, ascending from 0, one of which :func:`found_warm_up_s` returns."""
    return [math.ceil((index / _BINS * duration_s) * 1000) / 1000 for index in range(_BINS)]


def found_warm_up_s(requests: pd.DataFrame, duration_s: float) -> float:
    """Return the warm-up in seconds that MSER-5 finds in the course of the sojourn time.

    Args:
        requests: the requests table of all replications.
        duration_s: length of a replication.

    Raises:
        NotEnoughData: too few answers, or the run had not settled in its first half.
    """
    answered = requests[requests["outcome"] == "ok"]
    bins = (answered["intended_start_s"] / duration_s * _BINS).astype(int)
    course = answered["sojourn_time_s"].groupby(bins).mean()
    if len(course) < _BINS // 10:
        raise NotEnoughData(
            f"run.warm_up: auto needs answers throughout the run, but only {len(course)} of {_BINS} stretches have "
            "one; give a warm_up such as 5s, or run longer"
        )
    dropped = truncation_point(np.asarray(course))
    return 0.0 if dropped == 0 else possible_warm_ups_s(duration_s)[course.index[dropped]]
