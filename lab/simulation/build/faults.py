"""Has the faults of a scenario happen to its parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Protocol, assert_never, runtime_checkable

from lab.errors import Unsupported
from lab.scenario.components import Cache, Database
from lab.scenario.faults import (
    BadDeployFault,
    CrashFault,
    DisconnectFault,
    FailoverFault,
    Fault,
    FlushFault,
    HangFault,
    PacketLossFault,
    PartitionFault,
    QuotaFault,
    ScaleFault,
    SlowDownFault,
    SlowLinkFault,
    ZoneLossFault,
)
from lab.scenario.shards import places_of
from lab.simulation.build.changing import change_number
from lab.simulation.build.network_faults import strike_link, strike_network
from lab.simulation.build.zone_loss import lose_zone
from lab.simulation.cache import Nodes
from lab.simulation.database import Cluster
from lab.simulation.failing import Failing
from lab.simulation.faults import Faults, Strike
from lab.simulation.fleet import Life, Member
from lab.simulation.service import Replica
from lab.simulation.steps import Runnable
from lab.simulation.workers import Workers

if TYPE_CHECKING:
    from lab.simulation.build.world import World


@runtime_checkable
class _Flushes(Protocol):
    def flush(self) -> None: ...


def inject(world: World) -> None:
    """Have every fault of the scenario happen at its time."""
    faults = Faults(clock=world.clock, log=world.log)
    for fault in world.scenario.faults:
        _inject(world, faults, fault)


def _inject(world: World, faults: Faults, fault: Fault) -> None:
    match fault:
        case CrashFault():
            _crash(world, faults, fault)
        case HangFault():
            _hang(world, faults, fault)
        case SlowDownFault():
            _slow_down(world, faults, fault)
        case BadDeployFault():
            _deploy(world, faults, fault)
        case ZoneLossFault():
            lose_zone(world, faults, fault)
        case FlushFault():
            _flush(faults, fault, _flushable(world, fault.component))
        case FailoverFault():
            for _, cluster in _clusters(world, fault):
                faults.at(fault.at, cluster.fail_over)  # the cluster tells of it itself
        case QuotaFault() | ScaleFault():
            change_number(world, faults, fault)
        case PartitionFault() | SlowLinkFault():
            strike_link(world, faults, fault)
        case PacketLossFault() | DisconnectFault():
            strike_network(world, faults, fault)
        case _:
            assert_never(fault)


def _flushable(world: World, name: str) -> _Flushes:
    cache = world.part(name)
    if not isinstance(cache, _Flushes):
        raise Unsupported(f"{name}: a cache of your own needs a method flush() for the fault that empties it")
    return cache


def _crash_node(world: World, faults: Faults, fault: CrashFault, node: int) -> None:
    name, nodes = fault.component, world.part(fault.component)
    assert isinstance(nodes, Nodes)  # the scenario's own check has seen to it

    def go_down() -> None:
        nodes.crash(node)
        faults.note(name, "crash", node=node)

    def come_up() -> None:
        nodes.restart(node)
        faults.note(name, "restart", node=node)

    faults.at(fault.at, go_down)
    if fault.restart_after is not None:
        faults.at(fault.at + fault.restart_after, come_up)


def _crash_cache(world: World, faults: Faults, fault: CrashFault) -> None:
    if fault.node is not None:
        _crash_node(world, faults, fault, fault.node)
        return
    name, cache, front = fault.component, _flushable(world, fault.component), world.breakable(fault.component)

    def go_down() -> None:
        front.break_down()
        faults.note(name, "crash")

    def come_up() -> None:
        cache.flush()  # it comes back empty, whatever was stored while its last answers were on their way
        front.mend()
        faults.note(name, "restart")

    faults.at(fault.at, go_down)
    if fault.restart_after is not None:
        faults.at(fault.at + fault.restart_after, come_up)


def _flush(faults: Faults, fault: FlushFault, cache: _Flushes) -> None:
    def happen() -> None:
        cache.flush()
        faults.note(fault.component, "flush")

    faults.at(fault.at, happen)


def _crash(world: World, faults: Faults, fault: CrashFault) -> None:
    name, restart_after_s = fault.component, fault.restart_after
    if isinstance(world.scenario.components[name], Cache):
        _crash_cache(world, faults, fault)
        return
    if isinstance(world.scenario.components[name], Database):
        for place, cluster in _clusters(world, fault):
            _crash_server(faults, fault, place, cluster)
        return
    deployment = world.deployment(name)
    strike = Strike(deployment=deployment, replicas=fault.replicas, replica=fault.replica)

    def end_processes() -> None:
        struck = strike.choose()
        faults.note(name, "crash", replicas=strike.numbers, under_way=sum(member.under_way for member in struck))
        for member in struck:
            deployment.crash(member, restart_after_s=restart_after_s)

    faults.at(fault.at, end_processes)


def _clusters(world: World, fault: CrashFault | HangFault | SlowDownFault | FailoverFault) -> list[tuple[str, Cluster]]:
    """The shards of a database that a fault strikes, by the names that their rows tell."""
    spec = world.scenario.components[fault.component]
    assert isinstance(spec, Database)
    places = enumerate(places_of(fault.component, spec))
    struck = [(shard, place) for shard, place in places if fault.shard in (None, shard)]
    return [(place, world.database_server(fault.component, shard)) for shard, place in struck]


def _crash_server(faults: Faults, fault: CrashFault, place: str, cluster: Cluster) -> None:
    def go_down() -> None:
        cluster.crash()
        faults.note(place, "crash")

    def come_up() -> None:
        cluster.restart()
        faults.note(place, "restart")

    faults.at(fault.at, go_down)
    if fault.restart_after is not None:
        faults.at(fault.at + fault.restart_after, come_up)


def _hang(world: World, faults: Faults, fault: HangFault) -> None:
    name = fault.component
    if isinstance(world.scenario.components[name], Database):
        for place, cluster in _clusters(world, fault):
            faults.stretch((fault.at, fault.duration), cluster.freeze, cluster.thaw, told=(place, "hang"))
        return
    strike = Strike(deployment=world.deployment(name), replicas=fault.replicas, replica=fault.replica)
    _strike_for_a_while(faults, fault, strike, Member.freeze, Member.thaw)


def _slow_down(world: World, faults: Faults, fault: SlowDownFault) -> None:
    name, factor = fault.component, fault.factor
    if isinstance(world.scenario.components[name], Database):
        for place, cluster in _clusters(world, fault):
            begin, end = partial(cluster.slow_down, factor), cluster.recover
            faults.stretch((fault.at, fault.duration), begin, end, told=(place, "slow_down"))
        return
    strike = Strike(deployment=world.deployment(name), replicas=fault.replicas, replica=fault.replica)
    _strike_for_a_while(
        faults,
        fault,
        strike,
        lambda member: (
            _computing(name, member).slow_down(factor)
            if fault.steps == "cpu"
            else _computing(name, member).stretch_waits(factor)
        ),
        lambda member: _computing(name, member).recover(),
    )


def _strike_for_a_while(
    faults: Faults,
    fault: HangFault | SlowDownFault,
    strike: Strike,
    begin: Callable[[Member], None],
    end: Callable[[Member], None],
) -> None:
    def begins() -> None:
        for member in strike.choose():
            begin(member)
        faults.note(fault.component, fault.kind, replicas=strike.numbers)

    def ends() -> None:
        for member in strike.survivors():
            end(member)
        faults.note(fault.component, f"{fault.kind}_over", replicas=strike.numbers)

    faults.at(fault.at, begins)
    faults.at(fault.at + fault.duration, ends)


def _deploy(world: World, faults: Faults, fault: BadDeployFault) -> None:
    name, deployment = fault.component, world.deployment(fault.component)
    strike = Strike(deployment=deployment, replicas=fault.replicas, replica=fault.replica)
    draws = world.stream(f"{name}/bad_deploy")
    good: dict[Replica, Mapping[str, Runnable]] = {}  # what each process did before
    rolled_out = False

    def install(member: Member) -> None:
        for process in _processes(name, member):
            good[process] = process.endpoints
            process.endpoints = {
                endpoint: Failing(
                    steps=steps, draws=draws, error_ratio=fault.error_ratio, at_once=fault.when == "at_once"
                )
                for endpoint, steps in process.endpoints.items()
            }

    def started(member: Member) -> None:
        if (
            rolled_out
            and member.life in (Life.BOOTING, Life.READY)
            and good.keys().isdisjoint(_processes(name, member))
        ):
            install(member)

    def begins() -> None:
        nonlocal rolled_out
        for member in strike.choose():
            install(member)
        rolled_out = fault.replicas is None and fault.replica is None
        faults.note(name, "bad_deploy", replicas=strike.numbers, error_ratio=fault.error_ratio)

    def ends() -> None:
        nonlocal rolled_out
        rolled_out = False
        for process, endpoints in good.items():
            process.endpoints = endpoints
        faults.note(name, "bad_deploy_over", replicas=strike.numbers)

    deployment.fleet.watch(started)
    faults.at(fault.at, begins)
    faults.at(fault.at + fault.duration, ends)


def _processes(name: str, member: Member) -> tuple[Replica, ...]:
    part = _computing(name, member)
    return (part,) if isinstance(part, Replica) else part.workers


def _computing(name: str, member: Member) -> Replica | Workers:
    if not isinstance(member.part, Replica | Workers):
        raise Unsupported(f"{name}: a component of your own can be neither slowed down nor deployed; leave this out")
    return member.part
