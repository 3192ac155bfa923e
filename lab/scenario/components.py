"""The parts of a backend, by the names that its operators use: one file a kind, all of them here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator

from lab.scenario.cache import Cache
from lab.scenario.cdn import Cdn
from lab.scenario.database import Database, Pool, QuerySpec
from lab.scenario.envoy import Envoy
from lab.scenario.host import Host
from lab.scenario.load_balancer import LoadBalancer
from lab.scenario.mailbox import Mailbox
from lab.scenario.nginx import Nginx
from lab.scenario.node_pool import NodePool
from lab.scenario.queue import Queue
from lab.scenario.rate_limiter import RateLimiter
from lab.scenario.service import Service
from lab.scenario.stream import Stream
from lab.scenario.waiting_room import WaitingRoom

Component = Annotated[
    LoadBalancer
    | Nginx
    | Envoy
    | Cdn
    | RateLimiter
    | WaitingRoom
    | Service
    | Cache
    | Database
    | Queue
    | Stream
    | NodePool
    | Mailbox
    | Host,
    Discriminator("kind"),
]

__all__ = [
    "Cache",
    "Cdn",
    "Component",
    "Database",
    "Envoy",
    "Host",
    "LoadBalancer",
    "Mailbox",
    "Nginx",
    "NodePool",
    "Pool",
    "QuerySpec",
    "Queue",
    "RateLimiter",
    "Service",
    "Stream",
    "WaitingRoom",
]
