"""Whether the times of a stream's group fit together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.scenario.problems import Problem
from lab.scenario.service import Service
from lab.scenario.stream import Stream

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario


def unfit(scenario: Scenario, name: str, stream: Stream) -> Iterator[Problem]:
    """Yield what keeps the stream ``name`` from working as it is described."""
    if stream.heartbeat_interval >= stream.session_timeout:
        message = (
            f"({stream.heartbeat_interval:g} s) must be less than session_timeout ({stream.session_timeout:g} s), or "
            "each consumer is taken for dead between two heartbeats"
        )
        yield Problem(path=("components", name, "heartbeat_interval"), message=message)
    consumer = scenario.components.get(stream.consumer)
    if isinstance(consumer, Service) and consumer.workers > 1:
        message = (
            f"{stream.consumer!r} has {consumer.workers} workers in each replica, but a consumer works on one record "
            "after the other, so one of them would do all; give it replicas instead"
        )
        yield Problem(path=("components", name, "consumer"), message=message)
