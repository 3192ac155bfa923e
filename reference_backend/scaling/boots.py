"""Starting one replica and waiting until it is ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from reference_backend.booting import BOOTED_HEADER
from reference_backend.limit import HEALTH_PATH
from reference_backend.scaling.http import Stream
from reference_backend.scaling.link import ScalingEnd

_LONGEST_BOOT_S = 60.0
_AGAIN_S = 0.005
_HEALTHY = "200"


@dataclass(frozen=True, slots=True, kw_only=True)
class Booted:
    """A replica that is ready.

    Attributes:
        port: where it listens.
        pid: its process.
        worked_s: how long its boot really took; it was held until its declared boot time was over.
    """

    port: int
    pid: int
    worked_s: float


class Boots:
    """Starts replicas, each with the boot time that is declared for its number."""

    def __init__(self, *, supervisor: ScalingEnd, boot_times_s: Sequence[float]) -> None:
        self._supervisor = supervisor
        self._boot_times_s = boot_times_s

    def boot_time_s(self, replica: int) -> float:
        """Return the declared boot time of a replica.

        Raises:
            RuntimeError: so many were not expected to be started.
        """
        if replica >= len(self._boot_times_s):
            raise RuntimeError(f"the deployment declares {len(self._boot_times_s)} boot times, none for r{replica}")
        return self._boot_times_s[replica]

    async def boot(self, replica: int, *, started_s: float) -> Booted:
        """Have a replica started, and return it when its boot is over.

        Args:
            replica: its number.
            started_s: the monotonic time from which its boot time counts.

        Raises:
            TimeoutError: it was not ready within a minute.
        """
        ready_at_s = started_s + self.boot_time_s(replica)
        port, pid = await self._supervisor.start(replica, ready_at_s=ready_at_s)
        await asyncio.sleep(max(0.0, ready_at_s - time.monotonic()))
        async with asyncio.timeout(_LONGEST_BOOT_S):
            booted_s = await self._healthy(port)
        self._supervisor.say({"ready": replica})
        return Booted(port=port, pid=pid, worked_s=booted_s - started_s)

    async def _healthy(self, port: int) -> float:
        """Wait until a replica says that it is ready; return the monotonic time at which it really was."""
        stream = await Stream.to(port)
        try:
            while True:
                request = f"GET {HEALTH_PATH} HTTP/1.1\r\nHost: replica\r\n\r\n"
                answer = await stream.ask(request.encode())
                if answer is None:
                    raise ConnectionError(f"the replica on port {port} closed the connection while it booted")
                if answer.words[1] == _HEALTHY:
                    return float(answer.headers[BOOTED_HEADER])
                await asyncio.sleep(_AGAIN_S)
        finally:
            stream.close()
