"""Makes a load balancer and gives it the replicas that it balances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.scenario.components import LoadBalancer as Spec
from lab.simulation.load_balancer import Limits, LoadBalancer

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_load_balancer(world: World, name: str, spec: Spec) -> LoadBalancer:
    """Return the balancer; it follows the comings and goings of the service's replicas."""
    balancer = LoadBalancer(
        clock=world.clock,
        log=world.log,
        name=name,
        algorithm=spec.algorithm,
        limits=Limits(
            per_server=spec.max_connections_per_server,
            queue_timeout_s=spec.queue_timeout,
            server_timeout_s=spec.server_timeout,
        ),
        draws=(world.stream(f"{name}/choice"), world.unless_free(f"{name}/forward_time", spec.forward_time)),
    )
    for member in world.fleet(spec.targets).ready:
        balancer.add(member)
    return balancer
