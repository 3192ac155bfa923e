"""Whether one queue serves whoever came first."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

_TOLERANCE_S = 1e-9


def overtaken(visits: pd.DataFrame, where: str) -> Iterator[str]:
    """Of those who waited and were served, each was served no later than whoever came after."""
    waited = visits[(visits["waiting_time_s"] > 0) & visits["admitted_s"].notna()]
    admitted = waited.groupby("arrival_s")["admitted_s"]
    # Who came at the same time may be served in any order.
    earlier = admitted.max().cummax().shift()
    count = int((admitted.min() < earlier - _TOLERANCE_S).sum())
    if count:
        yield f"order: {count} times a request at {where} was served before one that had waited longer"
