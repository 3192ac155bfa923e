"""The places of a scenario: what a request holds while it is served, and how many can hold it at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

from lab.scenario.channels import Channel
from lab.scenario.components import (
    Cache,
    Cdn,
    Database,
    Envoy,
    Host,
    LoadBalancer,
    Mailbox,
    Nginx,
    NodePool,
    Queue,
    RateLimiter,
    Service,
    Stream,
    WaitingRoom,
)
from lab.scenario.crossing import connection_places
from lab.scenario.fronts import Front, service_behind, service_name_behind
from lab.scenario.replicas import most_replicas
from lab.scenario.routes import Role
from lab.scenario.scenario import Scenario
from lab.scenario.service import most_at_once

Resource = Literal[
    "slots",
    "event_loop",
    "threads",
    "gil",
    "connections",
    "cores",
    "replica_connections",
    "replica_cores",
    "hottest_row",
    "writer",
    "accesses",
    "publishings",
    "deliveries",
    "checks",
    "admissions",
    "bulkhead",
    "handshakes",
    "open_connections",
]
CONNECTIONS: dict[Role, Resource] = {"primary": "connections", "replicas": "replica_connections"}
CORES: dict[Role, Resource] = {"primary": "cores", "replicas": "replica_cores"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Something that is held: by its component, what it is, and who holds it.

    Attributes:
        component: name of the component.
        resource: ``slots`` of a load balancer's servers or of a service's replicas; their ``event_loop``,
            their ``threads``, and the ``gil``, which loop and threads share; the ``cores`` of a host; the
            ``connections`` of a pool, the ``cores`` of the database behind it (of its primary, and of the shard that
            is asked for most; those of all its replicas together are ``replica_connections`` and ``replica_cores``),
            the lock of its ``hottest_row``, or the ``writer`` of an SQLite file; the ``accesses`` of a cache or a cdn;
            the ``publishings`` and ``deliveries`` of a queue, stream or mailbox; the ``checks`` of a rate limiter; the
            ``slots`` inside a waiting room, and its ``admissions``, one after another; the ``bulkhead`` of a caller
            before what it calls; the TLS ``handshakes`` and ``open_connections`` of the entry.
        caller: the service whose replicas keep the pool or the bulkhead; "" for everything else.
    """

    component: str
    resource: Resource
    caller: str = ""

    def __str__(self) -> str:
        words = f"{self.component}: {self.resource.replace('_', ' ')}"
        return f"{words} of {self.caller}" if self.caller else words


def servers(scenario: Scenario, place: Place) -> int | None:
    """Return how many visits a place serves at once; None if there is no limit.

    Of a service with an autoscaler: when it has scaled up as far as it may, for the arithmetic knows no time.
    """
    if place.resource in ("handshakes", "open_connections"):
        return connection_places(scenario, place.resource)
    component = scenario.components[place.component]
    if place.resource == "bulkhead":
        caller = service_behind(scenario, place.caller)
        each = caller.bulkheads[place.component].max_concurrent
        return each * caller.workers * most_replicas(scenario, place.caller)
    match component:
        case LoadBalancer() | Nginx() | Envoy() | Cdn() | RateLimiter() | WaitingRoom():
            return _let_through(scenario, place, component)
        case Service():
            return _of_service(component, place, most_replicas(scenario, place.component) * component.workers)
        case Cache() | NodePool():
            return None  # nobody waits there for a place
        case Database() if place.resource in ("hottest_row", "writer"):
            return 1
        case Database():
            servers = component.replicas if place.resource in ("replica_cores", "replica_connections") else 1
            if place.resource in CORES.values():
                return None if component.cores is None else component.cores * servers
            processes = most_replicas(scenario, place.caller) * service_behind(scenario, place.caller).workers
            return (component.pool.size + component.pool.overflow) * servers * processes
        case Queue() | Stream() | Mailbox():
            most = most_replicas(scenario, component.consumer)
            consumer = service_behind(scenario, component.consumer)
            return None if place.resource == "publishings" else _deliveries(component, consumer, most)
        case Host():
            return component.cores
        case _:
            assert_never(component)


def _of_service(service: Service, place: Place, processes: int) -> int | None:
    if place.resource in ("event_loop", "gil"):
        return processes * service.schedulers
    if place.resource == "threads":
        return service.threads * processes
    most = most_at_once(service)
    return None if most is None else most * processes


def _let_through(scenario: Scenario, place: Place, front: Front) -> int | None:
    match front:
        case LoadBalancer():
            limit = front.max_connections_per_server
            replicas = most_replicas(scenario, service_name_behind(scenario, place.component))
            return None if limit is None else limit * sum(front.weight(slot) > 0 for slot in range(replicas))
        case Nginx(max_conns=limit):
            return None if limit is None else limit * most_replicas(scenario, front.targets)
        case Envoy():
            replicas = most_replicas(scenario, front.targets)
            return min(front.max_requests, max(front.max_connections, replicas))
        case RateLimiter() | Cdn():
            return None
        case WaitingRoom():
            if place.resource == "admissions":
                return 1
            # How long a client stays inside hangs on what it asks for, and how soon: no matter of one request.
            return front.max_active if front.session_duration is None else None
        case _:
            assert_never(front)


def _deliveries(queue: Channel, consumer: Service, most: int) -> int | None:
    """Return how many messages are worked on at once: each replica takes no more than it may, and has slots for."""
    if isinstance(queue, Mailbox):
        return None  # one to each recipient
    if isinstance(queue, Stream):
        return min(queue.partitions, most)
    most_in_worker = most_at_once(consumer)
    slots = None if most_in_worker is None else most_in_worker * consumer.workers
    if queue.partitions is not None:
        return min(queue.partitions, most * (slots or queue.partitions))
    return most * min(queue.prefetch, slots or queue.prefetch)
