"""Makes a load balancer and gives it the replicas that it balances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from lab.scenario.components import LoadBalancer as Spec
from lab.simulation.clock import Clock
from lab.simulation.fleet import Member
from lab.simulation.load_balancer.algorithm import Algorithm
from lab.simulation.load_balancer.backend import Backend
from lab.simulation.load_balancer.balancer import Connecting, LoadBalancer
from lab.simulation.load_balancer.bounds import BoundedRing, DrawnFromRing
from lab.simulation.load_balancer.drawn import Drawn
from lab.simulation.load_balancer.first import FirstFree
from lab.simulation.load_balancer.forwarding import Forwarding
from lab.simulation.load_balancer.hashed import HashMap, HashRing
from lab.simulation.load_balancer.health import HealthChecks, Shutdowns
from lab.simulation.load_balancer.leastconn import LeastConnections
from lab.simulation.load_balancer.membership import Membership
from lab.simulation.load_balancer.roundrobin import RoundRobin
from lab.simulation.load_balancer.server import Server
from lab.simulation.load_balancer.slow_start import SlowStart
from lab.simulation.load_balancer.steady import SteadyLoadBalancer
from lab.simulation.load_balancer.weighted import WeightedRoundRobin
from lab.simulation.log import Log
from lab.simulation.request import Part

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_load_balancer(world: World, name: str, spec: Spec) -> Part:
    """Return the balancer; it follows the comings and goings of the service's replicas."""
    fleet, clock, log = world.fleet(spec.targets), world.clock, world.log

    def new_server(member: Member, slot: int) -> Server:
        return Server(member, slot=slot, weight=spec.weight(slot), limit=spec.max_connections_per_server)

    backend = Backend(
        clock=clock,
        algorithm=_algorithm(world, name, spec),
        queue_timeout_s=spec.queue_timeout,
        max_queue=spec.max_queue,
        gone=world.gone if spec.abort_on_close else None,
    )
    membership = Membership(clock=clock, log=log, name=name, backend=backend, new_server=new_server)
    membership.start(fleet.ready)
    forwarding = _forwarding(world, name, spec)
    if not fleet.mortal:
        return SteadyLoadBalancer(
            clock=clock,
            log=log,
            name=name,
            backend=backend,
            server_timeout_s=spec.server_timeout,
            forwarding=forwarding,
        )
    fleet.watch(membership.follow)
    connecting = Connecting(
        retries=spec.retries,
        redispatch=spec.redispatch,
        connect_timeout_s=spec.connect_timeout,
        by_key=spec.algorithm == "uri",
        server_timeout_s=spec.server_timeout,
        shutdowns=_watch_over(
            spec,
            membership,
            backend,
            Place(clock=clock, log=log, name=name, shift=world.stream(f"{name}/checks").uniform(0)),
        ),
    )
    return LoadBalancer(clock=clock, log=log, name=name, backend=backend, connecting=connecting, forwarding=forwarding)


def _forwarding(world: World, name: str, spec: Spec) -> Forwarding | None:
    time = world.unless_free(f"{name}/forward_time", spec.forward_time)
    if time is None:
        return None
    host = None if spec.host is None else world.machines.host(spec.host)
    return Forwarding(clock=world.clock, time=time, host=host)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and under which name the balancer stands, and how far into an interval its checks begin."""

    clock: Clock
    log: Log
    name: str
    shift: float


def _watch_over(spec: Spec, membership: Membership[Server], backend: Backend, where: Place) -> Shutdowns | None:
    """Start the health checks and prepare slow starts; return what ends requests at a server that is taken down."""
    clock, shutdowns = where.clock, None
    slow_start = None
    if spec.slow_start is not None:
        slow_start = SlowStart(clock=clock, backend=backend, duration_s=spec.slow_start)
        membership.added.append(slow_start.begin)
    if spec.health_check is not None:
        checks = HealthChecks(clock=clock, log=where.log, name=where.name, backend=backend, spec=spec.health_check)
        membership.added.append(checks.add)
        if spec.health_check.on_marked_down == "shutdown_sessions":
            shutdowns = Shutdowns(clock)
            checks.going_down.append(shutdowns.tell)
        if spec.redispatch:
            checks.going_down.append(backend.redistribute)
        if slow_start is not None:
            checks.coming_up.append(slow_start.begin)
        checks.start(where.shift if spec.health_check.phase == "random" else 0.0)
    return shutdowns


def _algorithm(world: World, name: str, spec: Spec) -> Algorithm:
    match spec.algorithm:
        case "roundrobin":
            equal = spec.weights is None or len(set(spec.weights)) == 1
            return RoundRobin() if equal and spec.slow_start is None else WeightedRoundRobin()
        case "leastconn":
            return LeastConnections(spec.max_queue)
        case "random":
            choices, factor_percent = world.stream(f"{name}/choice"), spec.hash_balance_factor
            if factor_percent is not None:
                return DrawnFromRing(choices=choices, draws=spec.draws, factor_percent=factor_percent)
            return Drawn(choices=choices, draws=spec.draws)
        case "first":
            return FirstFree()
        case "uri":
            if spec.hash_type == "map_based":
                return HashMap()
            return HashRing() if spec.hash_balance_factor is None else BoundedRing(spec.hash_balance_factor)
        case _:
            assert_never(spec.algorithm)
