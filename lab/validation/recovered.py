"""Did a backend come back after a spike, and when? Figures of one run, over the time at which requests were due."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lab.errors import NotEnoughData
from lab.runs.run import Run
from lab.runs.window import by_replication

_WINDOW_S = 0.25
_WELL = 0.9  # the share of good answers below which a window counts as out of order


def recovered_ratio(run: Run) -> list[float]:
    """Return the share of the requests due in the last third of the run that were answered well, one a replication.

    1 where it has recovered, near 0 where it has collapsed. What was still in flight at the end is left out.
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


def outage_time_s(run: Run) -> list[float]:
    """Return the time from the first to the last quarter of a second in which fewer than 9 of 10 requests ended well.

    In seconds, one a replication; 0 where there was none. A run that never recovers has an outage to its end.
    """
    times = []
    for _, ended in _ended(run):
        window = np.floor(np.asarray(ended["intended_start_s"]) / _WINDOW_S).astype(int)
        share = (ended["outcome"] == "ok").groupby(window).mean()
        bad = share.index[np.asarray(share) < _WELL]
        times.append(float(bad.max() + 1 - bad.min()) * _WINDOW_S if len(bad) else 0.0)
    return times


def _ended(run: Run) -> list[tuple[int, pd.DataFrame]]:
    """Return the requests that have ended, by replication."""
    requests = run.requests[run.requests["outcome"] != "in_flight"]
    return list(by_replication(requests))
