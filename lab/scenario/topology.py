"""The topology of a scenario as a Mermaid flowchart, which notebooks, GitHub and reports draw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from lab.scenario.channels import Channel
from lab.scenario.components import (
    Cache,
    Cdn,
    Component,
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
from lab.scenario.front_labels import front_limits, room
from lab.scenario.fronts import Front
from lab.scenario.mix import named_endpoints
from lab.scenario.replicas import replicas_text
from lab.scenario.scenario import Scenario
from lab.scenario.service import uses_threads
from lab.scenario.stampede import NoProtection
from lab.scenario.steps import (
    CachedStep,
    CallStep,
    CpuStep,
    InvalidateStep,
    ParallelStep,
    PublishStep,
    QueryStep,
    StepSpec,
    ThreadStep,
    TransactionStep,
    WaitStep,
)
from lab.units import format_duration

_MOST_LABELS = 4  # more would hide the picture


def mermaid(scenario: Scenario) -> str:
    """Return the flowchart: clients, parts with their limits, and who asks whom for what.

    The same scenario gives the same text. Dotted arrows are taken on a cache miss only.
    """
    network = scenario.client.network
    said = "clients" if network is None else f"clients<br/>{network.kind} network"
    lines = ["flowchart LR", f'    clients(["{said}"])']
    lines += [
        f"    {_node(name)}{_shape(scenario, name, component)}" for name, component in scenario.components.items()
    ]
    lines.append(
        _arrow("clients", _node(scenario.entry), named_endpoints(scenario.workload) or ["replay"], dotted=False)
    )
    for name, component in scenario.components.items():
        if isinstance(component, Front):
            lines.append(f"    {_node(name)} --> {_node(component.targets)}")
            if isinstance(component, LoadBalancer) and component.host is not None:
                lines.append(f"    {_node(name)} -.- {_node(component.host)}")
        elif isinstance(component, Channel):
            lines.append(_arrow(_node(name), _node(component.consumer), [component.endpoint], dotted=False))
        elif isinstance(component, Service):
            lines += _arrows(name, component)
            machines = [*component.hosts, *([component.node_pool] if component.node_pool is not None else [])]
            lines += [f"    {_node(name)} -.- {_node(machine)}" for machine in dict.fromkeys(machines)]
    return "\n".join(lines) + "\n"


def _node(name: str) -> str:
    return f"part_{name}"  # a bare name might be a word of Mermaid's own, such as `end`


def _shape(scenario: Scenario, name: str, component: Component) -> str:
    title = f"<b>{name}</b><br/>{', '.join(_limits(scenario, name, component))}"
    match component:
        case LoadBalancer() | Nginx() | Envoy() | Cdn() | RateLimiter() | WaitingRoom():
            return f'{{{{"{title}"}}}}'
        case Service():
            return f'["{title}"]'
        case Cache():
            return f'(["{title}"])'
        case Database():
            return f'[("{title}")]'
        case Queue() | Stream() | Mailbox():
            return f'[["{title}"]]'
        case Host() | NodePool():
            return f'[/"{title}"/]'
        case _:
            assert_never(component)


def _limits(scenario: Scenario, name: str, component: Component) -> Iterator[str]:
    match component:
        case LoadBalancer() | Nginx() | Envoy() | Cdn() | RateLimiter() | WaitingRoom():
            yield from front_limits(component)
        case Service():
            yield from _of_service(component, replicas_text(scenario, name))
        case Cache():
            yield from _cache_limits(component)
        case Database():
            yield from _database_limits(component)
        case Queue() | Stream() | Mailbox():
            yield from _channel_limits(component)
        case NodePool():
            yield f"{component.min} to {component.max} nodes of {component.pods_per_node}"
        case Host():
            yield f"{component.cores} core{'s' * (component.cores != 1)}"
        case _:
            assert_never(component)


def _database_limits(database: Database) -> Iterator[str]:
    if database.engine == "sqlite":
        yield "SQLite, one writer"
    overflow = f"+{database.pool.overflow}" * bool(database.pool.overflow)
    yield f"pool {database.pool.size}{overflow} a replica"
    if database.shards > 1:
        yield f"{database.shards} shards"
    if database.cores is not None:
        yield f"{database.cores} core{'s' * (database.cores != 1)}"
    if database.replicas:
        yield f"{database.replicas} replica{'s' * (database.replicas != 1)}, reads: {database.read_policy}"


def _channel_limits(channel: Channel) -> Iterator[str]:
    match channel:
        case Queue():
            yield f"{channel.prefetch} a consumer" if channel.partitions is None else f"{channel.partitions} partitions"
            if channel.capacity is not None:
                yield f"capacity {channel.capacity}"
        case Stream():
            yield f"{channel.partitions} partition{'s' * (channel.partitions != 1)}"
            yield f"batches of up to {channel.max_poll_records}"
        case Mailbox():
            yield f"online {channel.online_share:.0%} of the time"
            if channel.group_size > 1:
                yield f"groups of {channel.group_size}"
            if channel.capacity is not None:
                yield f"capacity {channel.capacity} each"
        case _:
            assert_never(channel)


def _of_service(service: Service, replicas: str) -> Iterator[str]:
    yield replicas
    if service.workers > 1:
        yield f"{service.workers} workers each"
    if service.concurrency is not None:
        yield f"concurrency {service.concurrency}"
    if service.adaptive_concurrency is not None:
        yield f"{service.adaptive_concurrency.kind} up to {service.adaptive_concurrency.max}"
    if service.backlog is not None:
        yield f"backlog {service.backlog}"
    if service.discipline != "fifo":
        yield service.discipline
    if service.shedding is not None:
        yield service.shedding.kind
    if service.runtime == "processes":
        yield f"processes on {service.schedulers} core{'s' * (service.schedulers != 1)}"
    if uses_threads(service):
        yield f"{service.threads} threads"
    if service.zones:
        yield f"zones {', '.join(service.zones)}"


def _cache_limits(cache: Cache) -> Iterator[str]:
    if cache.scope == "replica":
        yield "in each replica"
    yield from room(cache)
    if cache.ttl is not None:
        yield f"ttl {format_duration(cache.ttl)}"
    if not isinstance(cache.stampede_protection, NoProtection):
        yield cache.stampede_protection.kind


def _arrows(name: str, service: Service) -> Iterator[str]:
    labels: dict[tuple[str, bool], list[str]] = {}
    for endpoint, steps in service.endpoints.items():
        for target, label, on_miss in _asked(steps, endpoint, on_miss=False):
            labels.setdefault((target, on_miss), []).append(label)
    for (target, on_miss), every in labels.items():
        yield _arrow(_node(name), _node(target), list(dict.fromkeys(every)), dotted=on_miss)


def _asked(steps: tuple[StepSpec, ...], endpoint: str, *, on_miss: bool) -> Iterator[tuple[str, str, bool]]:
    for step in steps:
        match step:
            case CpuStep() | WaitStep():
                pass
            case CachedStep():
                yield step.cache, f"{endpoint}: look up", on_miss
                yield from _asked(step.miss, endpoint, on_miss=True)
            case InvalidateStep():
                yield step.cache, f"{endpoint}: invalidate", on_miss
            case QueryStep():
                often = f" x {step.repeat}" if step.repeat > 1 else ""
                yield step.database, f"{endpoint}: query {step.query}{often}", on_miss
            case TransactionStep() | ThreadStep():
                yield from _asked(step.steps, endpoint, on_miss=on_miss)
            case CallStep():
                yield step.target, f"{endpoint}: call {step.endpoint}", on_miss
            case PublishStep():
                yield step.queue, f"{endpoint}: publish", on_miss
            case ParallelStep():
                often = f" x {step.copies}" if step.copies > 1 else ""
                each = (asked for branch in step.branches for asked in _asked(branch, endpoint, on_miss=on_miss))
                yield from ((target, label + often, dotted) for target, label, dotted in each)
            case _:
                assert_never(step)


def _arrow(start: str, end: str, labels: list[str], *, dotted: bool) -> str:
    shown = labels[:_MOST_LABELS]
    if len(labels) > len(shown):
        shown.append(f"and {len(labels) - len(shown)} more")
    return f'    {start} {"-.->" if dotted else "-->"}|"{"<br/>".join(shown)}"| {end}'
