"""Makes a node pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.distributions import quantile_function
from lab.errors import Unsupported
from lab.scenario.components import NodePool as Spec
from lab.simulation.node_pool import NodePool

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_node_pool(world: World, name: str, spec: Spec) -> NodePool:
    """Return the node pool; the boot time of a node is drawn at its number."""
    if world.is_own(name):
        raise Unsupported(f"components.{name}: is a node pool, which cannot be replaced by a component of one's own")
    boot_times, boot_time_s = world.stream(f"{name}/boot_time"), quantile_function(spec.boot_time)
    return NodePool(
        clock=world.clock,
        log=world.log,
        name=name,
        spec=spec,
        boot_time_s=lambda index: boot_time_s(boot_times.uniform(index)),
    )
