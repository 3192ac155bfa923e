"""Publishing messages: what a replica's ``publish`` step does."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from redis.asyncio import Redis
from redis.exceptions import RedisError

from reference_backend.ports import LOOPBACK
from reference_backend.queue_spec import Queue
from reference_backend.spans import SpanWriter, Trace
from reference_backend.streams import FIELD, GROUP, PUBLISH_BOUNDED, STREAM

_WITHOUT_BOUND = 1_000_000_000


class PublishFailed(Exception):
    """A queue did not take a message; the request answers 500."""


class Publisher:
    """One queue, as a replica that publishes uses it."""

    def __init__(self, *, name: str, spec: Queue, port: int, writer: SpanWriter) -> None:
        self._name = name
        self._spec = spec
        self._writer = writer
        self._redis = Redis(host=LOOPBACK, port=port, max_connections=100_000, decode_responses=True)
        self._publish_bounded = self._redis.register_script(PUBLISH_BOUNDED)

    async def publish(self, key: int, demands_s: Sequence[float], trace: Trace) -> None:
        """Publish one message about a key, with the demands of those who will work on it.

        Raises:
            PublishFailed: the queue is full and rejects, or its server failed.
        """
        content = {"request": trace.request, "attempt": trace.attempt, "key": key, "demands": list(demands_s)}
        message = json.dumps(content, separators=(",", ":"))
        since_s = time.monotonic()
        try:
            entry, dropped = await self._add(message, warming_up=trace.request < 0)
        except (RedisError, OSError) as error:
            trace.add_publish(self._name, since_s=since_s, outcome="error")
            raise PublishFailed(str(error)) from error
        if not entry:
            trace.add_publish(self._name, since_s=since_s, outcome="rejected")
            raise PublishFailed(f"queue {self._name} is full")
        trace.add_publish(self._name, since_s=since_s, outcome="ok")
        self._writer.note(
            what="published",
            queue=self._name,
            entry=entry,
            request=trace.request,
            attempt=trace.attempt,
            operation=self._spec.endpoint,
            since_s=since_s,
            at_s=time.monotonic(),
            dropped=dropped,
        )

    async def _add(self, message: str, *, warming_up: bool) -> tuple[str, str]:
        """Return the id of the new entry, "" if it was rejected, and that of the one that was dropped for it."""
        if self._spec.capacity is None:
            return str(await self._redis.xadd(STREAM, {FIELD: message})), ""
        # The warm-up sends more at once than a small queue has room for, and must succeed.
        capacity = _WITHOUT_BOUND if warming_up else self._spec.capacity
        arguments: list[str | int] = [GROUP, capacity, self._spec.overflow, FIELD, message]
        entry, dropped = await self._publish_bounded(keys=[STREAM], args=arguments)
        return str(entry), str(dropped)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
