"""Did a backend come back after a spike, and when? Figures of one run, over the time at which requests were due."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from lab.errors import NotEnoughData
from lab.runs.run import Run
from lab.runs.window import by_replication

_STRETCH = 20  # requests whose good answers are counted together
_WELL = 0.9  # the share of them below which the backend is out of order


def recovered_ratio(run: Run) -> list[float]:
    """Return the share of the requests due in the last third of the run that were answered well, one a replication.

    1 where it has recovered, near 0 where it has collapsed. What was still in flight at the end is left out.

    Raises:
        NotEnoughData: none of them has ended.
    """
    end_s = run.window.end_s
    shares = []
    for replication, ended in _ended(run):
        late = ended[ended["intended_start_s"] >= end_s * 2 / 3]
        if late.empty:
            raise NotEnoughData(
                f"replication {replication}: no request that was due in the last third of its {end_s:g} s has ended; "
                "make the run longer"
            )
        shares.append(float((late["outcome"] == "ok").mean()))
    return shares


def recovery_time_s(run: Run) -> list[float]:
    """Return the time from the first to the last request at which fewer than 9 of the last 10 ended well (of 20).

    In seconds, one a replication; NaN where it never came to that. A run that does not recover counts to its end.
    """
    times = []
    for _, ended in _ended(run):
        ordered = ended.sort_values("intended_start_s")
        share = (ordered["outcome"] == "ok").rolling(_STRETCH).mean()
        due_s = np.asarray(ordered["intended_start_s"])[np.asarray(share < _WELL - 1e-9)]
        times.append(float(due_s.max() - due_s.min()) if len(due_s) else math.nan)
    return times


def _ended(run: Run) -> Iterator[tuple[int, pd.DataFrame]]:
    """Yield the requests that have ended, by replication."""
    return by_replication(run.requests[run.requests["outcome"] != "in_flight"])
