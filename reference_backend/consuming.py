"""A replica that consumes a queue: it takes messages as long as it has room, and works on each as on a request.

::

    room? --> take one: expired, else new (script) --none--> wait a little for a new one (XREADGROUP BLOCK)
      ^                                      |                    |
      |                                      v                    v
      `---- acknowledge (XACK, XDEL) <-- work on it as on a request, beside the others
      `---- or not, if the work failed: it comes again after the visibility timeout
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from redis.asyncio import Redis

from reference_backend.limit import Application, Message
from reference_backend.ports import LOOPBACK
from reference_backend.queue_spec import Queue
from reference_backend.spans import SpanWriter
from reference_backend.streams import DEAD_LETTERS, FIELD, GROUP, STREAM, TAKE


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message in this replica's hands, for the ``number``-th time since it was published."""

    entry: str
    number: int
    request: int
    attempt: int
    key: int
    demands: tuple[float, ...]

    @classmethod
    def of(cls, entry: str, number: int, fields: dict[str, str]) -> Delivery:
        """Return the delivery of an entry of the stream."""
        content = json.loads(fields[FIELD])
        return cls(
            entry=entry,
            number=number,
            request=content["request"],
            attempt=content["attempt"],
            key=content["key"],
            demands=tuple(content["demands"]),
        )


class Consumer:
    """Takes the messages of one queue and hands each to this replica's own application."""

    def __init__(
        self, *, name: str, spec: Queue, method: str, port: int, application: Application, writer: SpanWriter
    ) -> None:
        self._name = name
        self._spec = spec
        self._method = method
        self._application = application
        self._writer = writer
        self._consumer = f"replica-{writer.replica}"
        self._visibility_ms = 0 if spec.visibility_timeout_s is None else max(1, round(spec.visibility_timeout_s * 1e3))
        self._poll_ms = max(1, round(spec.poll_interval_s * 1e3))
        self._at_once = spec.acknowledge == "before"
        self._room = asyncio.Semaphore(spec.prefetch)
        self._redis = Redis(host=LOOPBACK, port=port, max_connections=100_000, decode_responses=True)
        self._take = self._redis.register_script(TAKE)
        self._working: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Take messages until cancelled; work that is under way is cancelled with it."""
        async with asyncio.TaskGroup() as working:
            while True:
                await self._room.acquire()
                working.create_task(self._work(await self._next()))

    async def _next(self) -> Delivery:
        while True:
            delivery = await self._look() or await self._wait()
            if delivery is not None:
                return delivery

    async def _look(self) -> Delivery | None:
        """Take what is there."""
        arguments: list[str | int] = [
            GROUP,
            self._consumer,
            0 if self._at_once else self._visibility_ms,
            self._spec.max_attempts,
            "NOACK" if self._at_once else "",
        ]
        dead, taken = await self._take(keys=[STREAM, DEAD_LETTERS], args=arguments)
        now_s = time.monotonic()
        for entry, deliveries in dead:
            self._expired(entry, deliveries, now_s, dead=True)
        if not taken:
            return None
        entry, number, fields = taken
        if number > 1:
            self._expired(entry, number - 1, now_s, dead=False)
        return self._received(entry, number, dict(zip(fields[::2], fields[1::2], strict=True)))

    async def _wait(self) -> Delivery | None:
        """Wait a little for a new one."""
        read: Any = await self._redis.xreadgroup(
            GROUP, self._consumer, {STREAM: ">"}, count=1, block=self._poll_ms, noack=self._at_once
        )
        if not read:
            return None
        entry, fields = read[0][1][0]
        return self._received(entry, 1, fields)

    def _received(self, entry: str, number: int, fields: dict[str, str]) -> Delivery:
        delivery = Delivery.of(entry, number, fields)
        self._note("delivered", delivery, settled=self._at_once)
        return delivery

    def _expired(self, entry: str, number: int, at_s: float, *, dead: bool) -> None:
        self._writer.note(what="expired", queue=self._name, entry=entry, delivery=number, at_s=at_s, dead=dead)

    async def _work(self, delivery: Delivery) -> None:
        """Work on a message; acknowledge it before, or afterwards if the work succeeded."""
        if self._at_once:
            await self._redis.xdel(STREAM, delivery.entry)
        ok = await self._do(delivery)
        done_s = time.monotonic()
        acknowledged, taken_s = self._at_once, None
        if ok and not self._at_once:
            acknowledged = await self._acknowledge(delivery.entry)
            taken_s = time.monotonic() - done_s
        self._note("worked", delivery, worked_s=done_s, ok=ok, acknowledged=acknowledged, acknowledging_s=taken_s)
        self._room.release()

    async def _acknowledge(self, entry: str) -> bool:
        """Acknowledge a message; return False if nobody waited for that any more."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.xack(STREAM, GROUP, entry)
            pipeline.xdel(STREAM, entry)
            acknowledged, _ = await pipeline.execute()
        return bool(acknowledged)

    async def _do(self, delivery: Delivery) -> bool:
        """Hand a message to the application as the request that it is; return whether it succeeded.

        That takes no network, but all else that a request passes: slots, backlog, the endpoint's steps, its span.
        """
        each = len(delivery.demands) // self._spec.deliveries
        demands = delivery.demands[(delivery.number - 1) * each : delivery.number * each]
        status = 500

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]

        await self._application(self._as_request(delivery, demands), receive, send)
        return status < HTTPStatus.BAD_REQUEST

    def _as_request(self, delivery: Delivery, demands: tuple[float, ...]) -> Message:
        path = f"/{self._spec.endpoint}"
        headers = {
            "x-request": delivery.request,
            "x-attempt": delivery.attempt,
            "x-demands": ",".join(map(repr, demands)),
            "x-background": 1,
        }
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self._method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": f"key={delivery.key}".encode(),
            "root_path": "",
            "headers": [(name.encode(), str(value).encode()) for name, value in headers.items()],
            "client": None,
            "server": None,
        }

    def _note(self, what: str, delivery: Delivery, **fields: str | float | bool | None) -> None:
        self._writer.note(
            what=what,
            queue=self._name,
            entry=delivery.entry,
            delivery=delivery.number,
            request=delivery.request,
            attempt=delivery.attempt,
            replica=self._writer.replica,
            operation=self._spec.endpoint,
            at_s=time.monotonic(),
            **fields,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
