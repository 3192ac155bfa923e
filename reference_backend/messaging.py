"""A replica's part in the queues of its deployment: those it publishes to, and those it consumes."""

from __future__ import annotations

import asyncio
import os
import sys
import time
import traceback
from collections.abc import Mapping

from reference_backend.consuming import Consumer
from reference_backend.deployment import Deployment
from reference_backend.limit import Application
from reference_backend.publishing import Publisher
from reference_backend.references import walk
from reference_backend.spans import SpanWriter


class Messaging:
    """Publishers for the steps of one replica, and its consumers from ``start`` to ``close``."""

    def __init__(
        self, *, deployment: Deployment, service_name: str, ports: Mapping[str, int], writer: SpanWriter
    ) -> None:
        service = deployment.services()[service_name]
        steps = [step for endpoint in service.endpoints.values() for _, step in walk(endpoint.steps, "")]
        published = {step.queue for step in steps if step.kind == "publish"}
        self._endpoints = service.endpoints
        self._consumed = {name: spec for name, spec in deployment.queues().items() if spec.consumer == service_name}
        self._ports = ports
        self._writer = writer
        self._consumers: list[Consumer] = []
        self._consuming: list[asyncio.Task[None]] = []
        self.publishers = {
            name: Publisher(name=name, spec=spec, port=ports[name], writer=writer)
            for name, spec in deployment.queues().items()
            if name in published
        }

    def start(self, application: Application, *, ready_at_s: float) -> None:
        """Begin to take messages at a monotonic time, or now if it is over; have the application work on them."""
        self._consumers = [
            Consumer(
                name=name,
                spec=spec,
                method=self._endpoints[spec.endpoint].method,
                port=self._ports[name],
                application=application,
                writer=self._writer,
            )
            for name, spec in self._consumed.items()
        ]
        self._consuming = [asyncio.create_task(_consume(consumer, ready_at_s)) for consumer in self._consumers]
        for task in self._consuming:
            task.add_done_callback(_end_with)

    async def close(self) -> None:
        """Take no more messages, let go of those in hand, and close the connections."""
        for task in self._consuming:
            task.cancel()
        await asyncio.gather(*self._consuming, return_exceptions=True)  # what failed has ended the process already
        for consumer in self._consumers:
            await consumer.close()
        for publisher in self.publishers.values():
            await publisher.close()


async def _consume(consumer: Consumer, ready_at_s: float) -> None:
    await asyncio.sleep(ready_at_s - time.monotonic())
    await consumer.run()


def _end_with(consuming: asyncio.Task[None]) -> None:
    """End the process when a consumer failed: one that silently takes no messages any more would be another system."""
    if not consuming.cancelled() and (error := consuming.exception()) is not None:
        traceback.print_exception(error)
        sys.stderr.flush()
        os._exit(1)
