"""Channels: parts that take messages of `publish` steps and have them worked on behind the publisher's back."""

from __future__ import annotations

from typing import assert_never

from lab.distributions import mean_s
from lab.scenario.mailbox import Mailbox
from lab.scenario.queue import Queue
from lab.scenario.stream import Stream

Channel = Queue | Stream | Mailbox


def messages_each(channel: Channel) -> int:
    """Return how many messages one publishing leads to: as many as a group has members."""
    return channel.group_size if isinstance(channel, Mailbox) else 1


def beside_the_work_s(channel: Channel) -> float:
    """Return what a message costs its consumer beside the work on it (s)."""
    match channel:
        case Queue():
            return 2.0 * mean_s(channel.access_time)  # it is fetched, and it is acknowledged
        case Stream():
            # Batches are full where it matters: when more comes than can be done.
            return mean_s(channel.poll_time) / channel.max_poll_records
        case Mailbox():
            return 0.0
        case _:
            assert_never(channel)
