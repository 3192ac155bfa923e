"""A replica as the autoscaler knows it."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from enum import StrEnum

from reference_backend.scaling.readings import History


class Life(StrEnum):
    """Where a replica is in its life."""

    BOOTING = "booting"
    READY = "ready"
    DRAINING = "draining"
    GONE = "gone"


@dataclass(slots=True, kw_only=True)
class Replica:
    """One replica from its start to its end.

    Attributes:
        number: among all that there were in this repeat.
        history: what it has done.
        started_s: when its start was decided, since the schedule's zero.
        pid: its process, once that is known.
        ready_s: since when it takes requests.
        boot: what waits for it to be ready.
        left: the load balancers that it has been taken out of.
    """

    number: int
    history: History
    started_s: float
    life: Life = Life.BOOTING
    pid: int = 0
    ready_s: float = math.inf
    boot: asyncio.Task[None] | None = None
    left: set[str] = field(default_factory=set)
