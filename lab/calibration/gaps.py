"""What spans leave over: the time within a visit that nothing in it accounts for."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.calibration.alone import PAIR
from lab.calibration.observed import Observed


def gaps(observed: Observed, service: str) -> pd.DataFrame:
    """Return the visits to a service, one a request, with the time within each that nothing accounts for.

    Returns:
        Columns replication, request, arrival_s, departure_s and idle_s: neither waiting, nor own time, nor the span of
        anything that was called.
    """
    visits = observed.of(service)
    visits = visits[(visits["attempt"] == 0) & visits["departure_s"].notna() & visits["service_time_s"].notna()]
    visits = visits.drop_duplicates(PAIR, keep=False)
    frame = visits[[*PAIR, "arrival_s", "departure_s", "waiting_time_s"]].copy()
    covered = _covered_s(observed, frame, service, background=bool(visits["background"].any()))
    spanned = frame["departure_s"] - frame["arrival_s"]
    frame["idle_s"] = spanned - frame["waiting_time_s"] - observed.own_s(visits, service) - covered
    return frame[[*PAIR, "arrival_s", "departure_s", "idle_s"]]


def _covered_s(observed: Observed, served: pd.DataFrame, service: str, *, background: bool) -> NDArray[np.float64]:
    """Return for each visit the length of the union of the spans of those that it called."""
    others = observed.visits
    within = (service, f"{service}.work", f"{service}.event_loop")  # counted as the service's own time
    others = others[~others["component"].isin(within) & (others["attempt"] == 0)]
    others = others[others["background"] == background]  # a consumer calls others behind the queue, as it works there
    others = others[others["operation"] != "transaction"]  # its statements have rows, and own steps lie between them
    bounds = served[[*PAIR, "arrival_s", "departure_s"]].rename(
        columns={"arrival_s": "begin_s", "departure_s": "end_s"}
    )
    bounds["place"] = np.arange(len(bounds))
    inside = others.merge(bounds, on=PAIR, how="inner")
    inside = inside[(inside["arrival_s"] >= inside["begin_s"]) & (inside["departure_s"] <= inside["end_s"])]
    inside = inside.sort_values(["place", "arrival_s"])
    covered = np.zeros(len(served))
    place, until_s = -1, 0.0
    for here, arrival_s, departure_s in zip(inside["place"], inside["arrival_s"], inside["departure_s"], strict=True):
        if here != place:
            place, until_s = here, arrival_s
        covered[here] += max(0.0, departure_s - max(arrival_s, until_s))
        until_s = max(until_s, departure_s)
    return covered
