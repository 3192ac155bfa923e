"""Order by key: how often a message was begun, or done, before an earlier one about the same key."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from lab.runs.run import Run


def overtakings(run: Run, channel: str, *, by: Literal["begun", "done"] = "done") -> pd.DataFrame:
    """Return the messages of a queue or stream that overtook an earlier one about the same key, one a row.

    Those published at one moment have no order, and those that were dropped are in nobody's way. Streams, mailboxes
    and queues with partitions let nothing overtake; where consumers compete nothing is promised, and this counts what
    was.

    Args:
        run: a predicted Run.
        channel: name of the queue or stream.
        by: what counts: when the work on a message first began, or when it first succeeded.

    Returns:
        columns replication, request, attempt, key, published_s, at_s.
    """
    stays = run.visits[run.visits["component"] == channel]
    message = ["replication", "request", "attempt"]
    lost = (stays["outcome"] == "rejected").groupby([stays[each] for each in message]).transform("any")
    stays = stays[~lost]  # also where an earlier delivery of it had failed
    stays = stays.merge(run.requests[["replication", "request", "key"]], on=["replication", "request"])
    at_s = stays["admitted_s"] if by == "begun" else stays["departure_s"].where(stays["outcome"] == "ok")
    who = [*message, "key"]
    times = stays.assign(published_s=stays["arrival_s"], at_s=at_s.fillna(np.inf))
    first = times.groupby(who, observed=True)[["published_s", "at_s"]].min().reset_index()
    first = first.sort_values(["replication", "key", "published_s", "at_s"], kind="stable")
    line = [first["replication"], first["key"]]
    latest_before_s = first.groupby(line)["at_s"].cummax().groupby(line).shift()
    return first[latest_before_s > first["at_s"]].reset_index(drop=True)
