"""How many are in service and how many wait, as time goes by, from the rows of their visits."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def numbers_over_time(visits: pd.DataFrame, end_s: float) -> tuple[Floats, Floats, Floats]:
    """Number in service and number waiting between one event and the next, and how long that lasted (s)."""
    arrival = visits["arrival_s"].to_numpy()
    departure = visits["departure_s"].fillna(end_s).to_numpy()
    admitted = visits["admitted_s"].to_numpy()
    served = ~np.isnan(admitted)
    # Who was turned away may still be told so for a while, and waits for nothing any more.
    given_up = arrival + visits["waiting_time_s"].to_numpy()
    left_queue = np.where(served, admitted, np.where(np.isnan(given_up), departure, given_up))
    times = np.concatenate([arrival, left_queue, admitted[served], departure[served]])
    n, m = len(arrival), int(served.sum())
    waiting = np.concatenate([np.ones(n), -np.ones(n), np.zeros(2 * m)])
    busy = np.concatenate([np.zeros(2 * n), np.ones(m), -np.ones(m)])
    order = np.argsort(times, kind="stable")
    span_s = np.diff(times[order], append=end_s)
    lasting = span_s > 0  # within one instant the order of events is theirs to choose
    return np.cumsum(busy[order])[lasting], np.cumsum(waiting[order])[lasting], span_s[lasting]
