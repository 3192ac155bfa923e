"""Order by key: how often a message was begun, or done, before an earlier one about the same key or group."""

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


def overtakings_in_groups(run: Run, mailbox: str, *, members: int) -> pd.DataFrame:
    """Return the messages of a mailbox that some member of their group got before an earlier one, one a row.

    A row of a stay does not say which member's it is. But where each member gets two messages in their order, the
    first delivery of the later one is not before the first of the earlier one, nor the second before the second, up to
    the last; what breaks that is returned. With one member it is the order itself. Messages that a member lost are in
    nobody's way.

    Args:
        run: a predicted Run.
        mailbox: its name; it never refuses a message.
        members: how many recipients each message has.

    Returns:
        columns replication, request, attempt, key, published_s.
    """
    stays = run.visits[run.visits["component"] == mailbox]
    message = ["replication", "request", "attempt"]
    lost = (stays["outcome"] == "rejected").groupby([stays[each] for each in message]).transform("any")
    stays = stays[~lost].merge(run.requests[["replication", "request", "key"]], on=["replication", "request"])
    who = [*message, "key"]
    published = stays.groupby(who, observed=True)["arrival_s"].min().rename("published_s").reset_index()
    done = stays[stays["outcome"] == "ok"].sort_values("departure_s", kind="stable")
    place = done.groupby(message, observed=True).cumcount()
    done_s = done.assign(place=place).pivot(index=who, columns="place", values="departure_s")
    done_s = done_s.reindex(index=pd.MultiIndex.from_frame(published[who]), columns=range(members)).fillna(np.inf)
    published[list(range(members))] = done_s.to_numpy()
    published = published.sort_values(["replication", "key", "published_s"], kind="stable", ignore_index=True)
    line = [published["replication"], published["key"]]
    times = published[list(range(members))]
    latest_before_s = times.groupby(line).cummax().groupby(line).shift()
    return published.loc[(latest_before_s > times).any(axis=1), [*who, "published_s"]].reset_index(drop=True)
