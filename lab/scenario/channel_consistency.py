"""Whether the consumers of a channel are there, and whether it fits them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

from lab.scenario import mailbox_consistency, queue_consistency, stream_consistency
from lab.scenario.channels import Channel
from lab.scenario.mailbox import Mailbox
from lab.scenario.problems import Problem, listed_names, shown
from lab.scenario.queue import Queue
from lab.scenario.service import Service
from lab.scenario.stream import Stream

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario


def dangling(scenario: Scenario, name: str, channel: Channel) -> Iterator[Problem]:
    """Yield what is wrong with the names that the channel ``name`` refers to."""
    consumer = scenario.components.get(channel.consumer)
    if not isinstance(consumer, Service):
        known = listed_names(scenario.components, Service)
        message = f"{shown(channel.consumer)} is not a service of this scenario (services: {known})"
        yield Problem(path=("components", name, "consumer"), message=message)
    elif channel.endpoint not in consumer.endpoints:
        known = ", ".join(consumer.endpoints)
        message = f"{channel.consumer!r} has no endpoint {shown(channel.endpoint)} (it has: {known})"
        yield Problem(path=("components", name, "endpoint"), message=message)


def unfit(scenario: Scenario, name: str, channel: Channel) -> Iterator[Problem]:
    """Yield which keys of the channel ``name`` do nothing, or cannot do what they are for."""
    match channel:
        case Queue():
            yield from queue_consistency.without_effect(scenario, name, channel)
        case Stream():
            yield from stream_consistency.unfit(scenario, name, channel)
        case Mailbox():
            yield from mailbox_consistency.unfit(name, channel)
        case _:
            assert_never(channel)
