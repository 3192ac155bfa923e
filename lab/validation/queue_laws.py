"""Laws of message queues: no message vanishes, and none appears."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

import pandas as pd

from lab.runs.run import Run
from lab.scenario.channels import Channel
from lab.scenario.components import Mailbox, Queue, Stream
from lab.scenario.scenario import Scenario


def broken_queue_laws(scenario: Scenario, run: Run) -> Iterator[str]:
    """Yield a sentence with numbers for each law that a queue of a predicted Run breaks."""
    for name, part in scenario.components.items():
        if isinstance(part, Queue):
            visits = run.visits[run.visits["component"].isin([name, f"{name}.publish"])]
            events = run.events[run.events["component"] == name]
            for replication in run.replications:
                own = visits[visits["replication"] == replication]
                noted = events[events["replication"] == replication]
                yield from _conservation(own, noted, name, f"{name} in replication {replication}")


def channel_places(channel: Channel) -> int | None:
    """Return how many messages one consumer holds at once; None if there is no limit."""
    match channel:
        case Queue(partitions=None, redelivery="timeout"):
            return None  # a failed message is out until its timeout, while its consumer takes the next
        case Queue(partitions=None, prefetch=places) | Queue(partitions=places):
            return places
        case Stream():
            return 1  # a consumer works on one record after the other
        case Mailbox():
            return None  # a replica delivers to many recipients at once
        case _:
            assert_never(channel)


def _conservation(visits: pd.DataFrame, events: pd.DataFrame, name: str, where: str) -> Iterator[str]:
    """Each message that was accepted, and each that came back, makes one stay; each stay has one end."""
    published = visits[(visits["component"] == f"{name}.publish") & (visits["outcome"] == "ok")]
    stays = visits[visits["component"] == name]
    noted = events["kind"].astype(str).value_counts()
    ended = stays["outcome"].astype(str).value_counts()
    came_back = ended.get("error", 0) + ended.get("timeout", 0) - noted.get("dead_letter", 0)
    if len(stays) != len(published) + came_back:
        yield (
            f"conservation: {where} accepted {len(published)} messages and took {came_back} back, which makes "
            f"{len(published) + came_back} stays, but {len(stays)} were seen"
        )
    for what, count, kind in (("took back", came_back, "redelivery"), ("dropped", ended.get("rejected", 0), "dropped")):
        if count != noted.get(kind, 0):
            yield f"conservation: {where} {what} {count} messages, but noted {noted.get(kind, 0)} events {kind}"
