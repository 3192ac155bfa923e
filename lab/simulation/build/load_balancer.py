"""Makes a load balancer and gives it the replicas that it balances."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from lab.scenario.components import LoadBalancer as Spec
from lab.simulation.fleet import Member
from lab.simulation.load_balancer.algorithm import Algorithm
from lab.simulation.load_balancer.backend import Backend
from lab.simulation.load_balancer.balancer import Connecting, LoadBalancer
from lab.simulation.load_balancer.drawn import Drawn
from lab.simulation.load_balancer.leastconn import LeastConnections
from lab.simulation.load_balancer.membership import Membership
from lab.simulation.load_balancer.roundrobin import RoundRobin
from lab.simulation.load_balancer.server import Server
from lab.simulation.load_balancer.steady import SteadyLoadBalancer
from lab.simulation.request import Part

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_load_balancer(world: World, name: str, spec: Spec) -> Part:
    """Return the balancer; it follows the comings and goings of the service's replicas."""
    fleet, clock, log = world.fleet(spec.targets), world.clock, world.log

    def new_server(member: Member, slot: int) -> Server:
        return Server(member, slot=slot, limit=spec.max_connections_per_server)

    backend = Backend(
        clock=clock, algorithm=_algorithm(world, name, spec), queue_timeout_s=spec.queue_timeout, max_queue=None
    )
    membership = Membership(clock=clock, log=log, name=name, backend=backend, new_server=new_server)
    membership.start(fleet.ready)
    forward_time = world.unless_free(f"{name}/forward_time", spec.forward_time)
    if not fleet.mortal:
        return SteadyLoadBalancer(
            clock=clock,
            log=log,
            name=name,
            backend=backend,
            server_timeout_s=spec.server_timeout,
            forward_time=forward_time,
        )
    fleet.watch(membership.follow)
    connecting = Connecting(
        retries=3,
        redispatch=False,
        connect_timeout_s=1.0,
        any_other=spec.algorithm in ("roundrobin", "random"),
        server_timeout_s=spec.server_timeout,
    )
    return LoadBalancer(
        clock=clock, log=log, name=name, backend=backend, connecting=connecting, forward_time=forward_time
    )


def _algorithm(world: World, name: str, spec: Spec) -> Algorithm:
    match spec.algorithm:
        case "roundrobin":
            return RoundRobin()
        case "leastconn":
            return LeastConnections()
        case "random":
            return Drawn(choices=world.stream(f"{name}/choice"), draws=2)
        case _:
            assert_never(spec.algorithm)
