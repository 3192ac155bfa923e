"""Whether faults can happen to what they name, within the run, and do something there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

from lab.distributions import mean_s
from lab.scenario.components import Cache, Cdn, Database, NodePool, Service
from lab.scenario.faults import (
    BadDeployFault,
    CrashFault,
    DisconnectFault,
    FailoverFault,
    Fault,
    FlushFault,
    HangFault,
    OfSomeReplicas,
    PacketLossFault,
    PartitionFault,
    QuotaFault,
    ScaleFault,
    SlowDownFault,
    SlowLinkFault,
    ZoneLossFault,
    ends_s,
    struck,
)
from lab.scenario.names import CLIENT
from lab.scenario.network_consistency import network_fault_problems
from lab.scenario.problems import Path, Problem, listed_names, shown
from lab.scenario.replicas import hands_out, most_replicas
from lab.scenario.service import every_step
from lab.scenario.steps import CpuStep, WaitStep
from lab.scenario.ways import ways
from lab.scenario.zone_consistency import zone_problems

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario

_STRUCK: dict[type, tuple[type, ...]] = {
    CrashFault: (Service, Database, Cache),
    HangFault: (Service, Database),
    SlowDownFault: (Service, Database),
    BadDeployFault: (Service,),
    FlushFault: (Cache, Cdn),
    FailoverFault: (Database,),
    QuotaFault: (Service, NodePool),
    ScaleFault: (Service,),
}
_NAMES: dict[type, str] = {Service: "service", Database: "database", Cache: "cache", NodePool: "node pool", Cdn: "cdn"}


def fault_problems(scenario: Scenario) -> Iterator[Problem]:
    """Yield what is wrong with the faults of a scenario."""
    for number, fault in enumerate(scenario.faults):
        where: Path = ("faults", number)
        if fault.at >= scenario.run.duration:
            message = f"the run is over at {scenario.run.duration:g} s, before this would happen"
            yield Problem(path=(*where, "at"), message=message)
        yield from _unfit(scenario, fault, where)
    for (first, before), (second, after) in combinations(enumerate(scenario.faults), 2):
        if _same_subject(before, after) and _overlap(before, after):
            whom = " and ".join(sorted(struck(after)))
            message = (
                f"happens to {whom} while faults.{first}, of the same kind, is not over; "
                "let one begin when the other has ended"
            )
            yield Problem(path=("faults", second), message=message)


def _same_subject(one: Fault, other: Fault) -> bool:
    if one.kind != other.kind or sorted(struck(one)) != sorted(struck(other)):
        return False
    shards = [each.shard for each in (one, other) if isinstance(each, OfSomeReplicas | FailoverFault)]
    if len(shards) > 1 and None not in shards and shards[0] != shards[1]:
        return False
    if not isinstance(one, OfSomeReplicas) or not isinstance(other, OfSomeReplicas):
        return True
    if isinstance(one, CrashFault) and isinstance(other, CrashFault) and None not in (one.node, other.node):
        return one.node == other.node
    # Of replicas, only two that are each named are certain to differ. What has crashed is not struck again.
    certain = one.replica is not None and other.replica is not None
    return one.replica == other.replica if certain or isinstance(one, CrashFault) else True


def _overlap(one: Fault, other: Fault) -> bool:
    return max(one.at, other.at) < min(ends_s(one), ends_s(other))


def _unfit(scenario: Scenario, fault: Fault, where: Path) -> Iterator[Problem]:
    match fault:
        case PartitionFault() | SlowLinkFault():
            yield from _unfit_link(scenario, fault, where)
        case PacketLossFault() | DisconnectFault():
            yield from network_fault_problems(scenario, fault, where)
        case ZoneLossFault():
            yield from zone_problems(scenario, fault, where)
        case _:
            yield from _unfit_for_component(scenario, fault, where)


def _unfit_for_component(
    scenario: Scenario,
    fault: CrashFault
    | HangFault
    | SlowDownFault
    | BadDeployFault
    | FlushFault
    | FailoverFault
    | QuotaFault
    | ScaleFault,
    where: Path,
) -> Iterator[Problem]:
    component, kinds = scenario.components.get(fault.component), _STRUCK[type(fault)]
    yield from _no_such_part(fault, component, where)
    if not isinstance(component, kinds):
        known = listed_names(scenario.components, *kinds)
        wanted = " or ".join(_NAMES[kind] for kind in kinds)
        message = f"{shown(fault.component)} is not a {wanted}, to which this can happen (there are: {known})"
        yield Problem(path=(*where, "component"), message=message)
    elif isinstance(component, Service):
        yield from _unfit_service(scenario, fault, component, where)
    elif isinstance(component, Database) and isinstance(fault, FailoverFault):
        if component.replicas == 0:
            message = f"{fault.component!r} has no replica that could take over; give it replicas, or let it crash"
            yield Problem(path=(*where, "component"), message=message)
    elif isinstance(component, Database) and component.engine == "sqlite" and isinstance(fault, CrashFault | HangFault):
        message = f"{fault.component!r} is a file without a server; let this happen to the service that opens it"
        yield Problem(path=(*where, "component"), message=message)
    elif isinstance(component, Cache) and isinstance(fault, CrashFault):
        yield from _unfit_cache(fault, component, where)
    elif isinstance(fault, OfSomeReplicas):
        if isinstance(fault, SlowDownFault) and fault.steps != "cpu":
            message = f"only a service has steps; leave it out for {fault.component!r}, all of which is slow then"
            yield Problem(path=(*where, "steps"), message=message)
        for key in ("replicas", "replica"):
            if getattr(fault, key) is not None:
                message = f"only a service has replicas that fail one by one; leave it out for {fault.component!r}"
                yield Problem(path=(*where, key), message=message)


def _unfit_link(scenario: Scenario, fault: PartitionFault | SlowLinkFault, where: Path) -> Iterator[Problem]:
    calls = [(CLIENT, scenario.entry), *ways(scenario)]
    one, other = fault.between
    if (one, other) not in calls and (other, one) not in calls:
        known = "; ".join(f"{caller}, {callee}" for caller, callee in calls)
        message = (
            f"neither of {shown(one)} and {shown(other)} calls the other over a network that the lab can cut "
            f"(these do: {known}); a balancer and its servers, a queue and its consumers: let the service hang instead"
        )
        yield Problem(path=(*where, "between"), message=message)
    elif isinstance(fault, SlowLinkFault) and CLIENT in fault.between and scenario.client.connections is not None:
        message = (
            "opening the clients' connections would be as quick as before; give client.network a longer round_trip "
            "instead, or leave client.connections out"
        )
        yield Problem(path=(*where, "between"), message=message)


def _no_such_part(fault: Fault, component: object, where: Path) -> Iterator[Problem]:
    if isinstance(fault, CrashFault) and fault.node is not None and not isinstance(component, Cache):
        yield Problem(path=(*where, "node"), message=f"only a cache has nodes; leave it out for {fault.component!r}")
    if not isinstance(fault, OfSomeReplicas | FailoverFault) or fault.shard is None:
        return
    shards = component.shards if isinstance(component, Database) else 1
    if shards == 1:
        message = f"only a database has shards, and {fault.component!r} has none; leave it out"
        yield Problem(path=(*where, "shard"), message=message)
    elif fault.shard >= shards:
        yield Problem(path=(*where, "shard"), message=f"shards are numbered from 0 to {shards - 1}")


def _unfit_cache(fault: CrashFault, cache: Cache, where: Path) -> Iterator[Problem]:
    if fault.node is not None and (cache.nodes == 1 or fault.node >= cache.nodes):
        said = f"nodes are numbered from 0 to {cache.nodes - 1}" if cache.nodes > 1 else "this cache is one node"
        yield Problem(path=(*where, "node"), message=f"{said}; leave it out, or give the cache more nodes")
    kind = cache.stampede_protection.kind
    if cache.scope == "replica":
        message = "lives and dies with each process of its service; let that crash"
        yield Problem(path=(*where, "component"), message=message)
    elif kind in ("lock", "stale_while_revalidate"):
        message = f"what stampede_protection {kind} does while the cache is down is not modelled; flush it instead"
        yield Problem(path=(*where, "component"), message=message)


def _unfit_service(scenario: Scenario, fault: Fault, service: Service, where: Path) -> Iterator[Problem]:
    name = struck(fault)[0]
    by_hand = any(isinstance(other, ScaleFault) and other.component == name for other in scenario.faults)
    scales = service.autoscaler is not None or by_hand
    if isinstance(fault, QuotaFault):
        if not scales:
            message = "has no effect: nothing starts processes of this service; give it an autoscaler too"
            yield Problem(path=(*where, "component"), message=message)
        return
    if isinstance(fault, ScaleFault):
        yield from _unfit_scale(fault, service, where)
        return
    if isinstance(fault, SlowDownFault):
        yield from _unfit_slow_down(fault, service, where)
    assert isinstance(fault, OfSomeReplicas)  # of the kinds that strike services
    most = max(service.replicas, most_replicas(scenario, name))
    if fault.replicas is not None and fault.replicas > most:
        message = f"there are never more than {most}"
        yield Problem(path=(*where, "replicas"), message=message)
    if fault.replica is not None and not scales and fault.replica >= service.replicas:
        message = f"replicas are numbered from 0 to {service.replicas - 1}"
        yield Problem(path=(*where, "replica"), message=message)


def _unfit_slow_down(fault: SlowDownFault, service: Service, where: Path) -> Iterator[Problem]:
    if fault.steps == "wait" and not any(isinstance(step, WaitStep) for step in every_step(service)):
        message = "has no effect: this service has no wait steps; slow down what it computes, or calls"
        yield Problem(path=(*where, "steps"), message=message)
    elif fault.steps == "cpu" and not _computes(service):
        message = "has no effect: this service computes nothing (cpu steps, overhead); slow down what it calls"
        yield Problem(path=(*where, "component"), message=message)


def _unfit_scale(fault: ScaleFault, service: Service, where: Path) -> Iterator[Problem]:
    if hands_out(service):
        message = "has as many processes as its requests need, whoever sets another number; schedule a min instead"
        yield Problem(path=(*where, "component"), message=message)
    elif service.autoscaler is not None:
        low, high = service.autoscaler.limits_at(fault.at)
        if not low <= fault.replicas <= high:
            message = f"the autoscaler would take it back when it looks next: it keeps to min {low} to max {high}"
            yield Problem(path=(*where, "replicas"), message=message)


def _computes(service: Service) -> bool:
    overheads = mean_s(service.overhead) + mean_s(service.rejection_overhead)
    return overheads > 0 or any(isinstance(step, CpuStep) for step in every_step(service))
