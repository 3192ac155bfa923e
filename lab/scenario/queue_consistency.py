"""Whether a queue fits the room that its consumers have, and whether each of its keys has an effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.quantities import default_of
from lab.scenario.problems import Problem
from lab.scenario.queue import Queue
from lab.scenario.service import Service, least_at_once

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario


def without_effect(scenario: Scenario, name: str, queue: Queue) -> Iterator[Problem]:
    """Yield which keys of the queue ``name`` do nothing, or cannot do what they are for."""
    for key, message in (*_keys_without_effect(queue), *_refused_messages(scenario, queue)):
        yield Problem(path=("components", name, key), message=message)


def _keys_without_effect(queue: Queue) -> Iterator[tuple[str, str]]:
    # A variant carries every default, so what was written cannot be told from it: only other values are refused.
    changed = {key for key in Queue.model_fields if getattr(queue, key) != default_of(Queue, key)}
    if queue.partitions is not None and "prefetch" in changed:
        yield "prefetch", "has no effect with partitions, each of which has one message out at a time; leave it out"
    if queue.partitions is not None and queue.max_priority is not None:
        yield "max_priority", "has no effect with partitions, which keep their order; take one of them out"
    if "poll_interval" in changed and (queue.partitions is not None or queue.redelivery == "at_once"):
        which = "partitions" if queue.partitions is not None else "redelivery: at_once"
        yield "poll_interval", f"has no effect with {which}, as the broker itself sees what comes back; leave it out"
    if queue.capacity is None and "overflow" in changed:
        yield "overflow", "has no effect, as a queue without a capacity is never full; give it a capacity too"
    if queue.acknowledge == "before":
        for key in ("visibility_timeout", "redelivery", "max_attempts", "poll_interval"):
            if key in changed:
                yield key, "has no effect with acknowledge: before, as nothing is delivered twice; leave it out"
    elif queue.redelivery == "timeout" and queue.visibility_timeout is None:
        message = "is none, so with redelivery: timeout a message whose work failed never comes back; give it a time"
        yield "visibility_timeout", message


def _refused_messages(scenario: Scenario, queue: Queue) -> Iterator[tuple[str, str]]:
    consumer = scenario.components.get(queue.consumer)
    if not isinstance(consumer, Service) or consumer.backlog is None or (slots := least_at_once(consumer)) is None:
        return
    room = consumer.workers * (slots + consumer.backlog)
    if queue.partitions is None and queue.prefetch > room:
        yield (
            "prefetch",
            f"lets a replica hold {queue.prefetch} messages, but {queue.consumer!r} has room for {room} (concurrency + "
            "backlog) and would reject the others; let it hold fewer",
        )
