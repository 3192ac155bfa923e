"""Two scenarios in the same world: the difference that a change makes, on common random numbers."""

from __future__ import annotations

import pandas as pd

from lab.errors import DomainError, NotEnoughData
from lab.runs.run import Run
from lab.theory.intervals import paired_interval

_FEWEST = 2  # replications that an interval needs


def difference(before: Run, after: Run, *, level: float = 0.95) -> pd.DataFrame:
    """Return each figure of two predicted Runs and the interval of their difference (after - before).

    Both must have the same seed and replications: then replication i of either saw the same luck, and what
    differs is the change.

    Returns:
        Columns metric, subject, unit, before, after, difference, low, high; a row a figure that every replication
        of both has. SI units.

    Raises:
        DomainError: the Runs are not both predicted, or do not share window, seed and replications.
        NotEnoughData: fewer than two replications.
    """
    if {before.world, after.world} != {"predicted"}:
        raise DomainError("a difference needs two predicted Runs; lab.compare judges a prediction by a measurement")
    if before.window != after.window:
        raise DomainError(f"the Runs count different stretches: {before.window} and {after.window}; give both one")
    if len(before.replications) < _FEWEST:
        raise NotEnoughData("a difference needs at least 2 replications, or it has no interval")
    if before.seed is None or before.seed != after.seed or before.replications != after.replications:
        raise DomainError(
            f"the two Runs are not paired: seeds {before.seed} and {after.seed}, {len(before.replications)} and "
            f"{len(after.replications)} replications; simulate both with the same seed and replications"
        )
    return paired_rows(before.metrics(), after.metrics(), replications=len(before.replications), level=level)


def paired_rows(before: pd.DataFrame, after: pd.DataFrame, *, replications: int, level: float = 0.95) -> pd.DataFrame:
    """Return each figure of two frames of figures, and the interval of their difference (after - before).

    Args:
        before: columns replication, metric, subject, value, unit.
        after: the same, of the same replications.
        replications: how many there are; a figure that one of them lacks has no row.
        level: of the interval, in (0, 1).

    Returns:
        What :func:`difference` does.
    """
    keys = ["metric", "subject", "unit", "replication"]
    both = before.merge(after, on=keys, suffixes=("_before", "_after"))
    rows = []
    for (metric, subject, unit), group in both.groupby(keys[:3], sort=False):
        if len(group) < replications:
            continue
        interval = paired_interval(group["value_after"], group["value_before"], level)
        rows.append(
            {
                "metric": metric,
                "subject": subject,
                "unit": unit,
                "before": group["value_before"].mean(),
                "after": group["value_after"].mean(),
                "difference": interval.mean,
                "low": interval.low,
                "high": interval.high,
            }
        )
    return pd.DataFrame(rows, columns=["metric", "subject", "unit", "before", "after", "difference", "low", "high"])
