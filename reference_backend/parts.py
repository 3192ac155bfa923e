"""What is running: the parts of a started backend, and what is recorded of each."""

from __future__ import annotations

from dataclasses import dataclass, field

from reference_backend.postgres import DatabaseControl
from reference_backend.processes import Child
from reference_backend.streams import QueueControl
from reference_backend.valkey import CacheControl, Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """One process of the backend."""

    component: str
    replica: int
    child: Child


@dataclass(slots=True, kw_only=True)
class Parts:
    """Everything that was started, filled in as it starts.

    Attributes:
        running: the processes that live.
        ports: where each part is reached; of a service, only if callers reach its processes at one address.
        replica_ports: where each replica of a service listens, by its number.
        restart_s: how long each database took to answer when it was started again last.
    """

    running: list[Running] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)
    replica_ports: dict[str, dict[int, int]] = field(default_factory=dict)
    caches: dict[str, CacheControl] = field(default_factory=dict)
    queues: dict[str, QueueControl] = field(default_factory=dict)
    databases: dict[str, DatabaseControl] = field(default_factory=dict)
    servers: dict[str, dict[str, str]] = field(default_factory=dict)
    restart_s: dict[str, float] = field(default_factory=dict)
    cache_limits: dict[str, Limit] = field(default_factory=dict)
