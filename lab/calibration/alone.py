"""Requests that had the way to themselves: what they took tells of the way, not of waiting for others."""

from __future__ import annotations

import numpy as np
import pandas as pd

PAIR = ["replication", "request"]
_ENOUGH = 50  # requests: fewer tell less of how times scatter than all do, the luck of meeting others and all
_MOST = 0.9  # share of requests that take no longer than the time that is kept free after one


def undisturbed(requests: pd.DataFrame, among: pd.DataFrame) -> pd.DataFrame:
    """Return those among some requests that had the way to themselves, if there are enough of them; else all.

    Nobody was under way when they were sent, and nobody was sent for as long as nine in ten requests take. What they
    took themselves has no say, or the quick ones would be chosen. Who meets others waits for them, and never quite as
    long as in the simulator.

    Args:
        requests: all that were sent.
        among: some of them, or visits of theirs, with columns replication and request.
    """
    sent = requests.sort_values(["replication", "intended_start_s"])
    repeats, start_s = sent["replication"], sent["intended_start_s"]
    ended_s = sent["end_s"].fillna(np.inf)
    before_s = ended_s.groupby(repeats).cummax().groupby(repeats).shift(fill_value=0.0)
    after_s = start_s.groupby(repeats).shift(-1, fill_value=np.inf)
    free_s = float(sent["sojourn_time_s"].quantile(_MOST))
    alone = sent[(before_s <= start_s) & (after_s >= start_s + free_s)]
    found = among.merge(alone[PAIR], on=PAIR, how="inner")
    return found if found.groupby(PAIR).ngroups >= _ENOUGH else among
