"""Has the number of processes or nodes, or how many of them are given out, change from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.scenario.components import NodePool
from lab.scenario.faults import QuotaFault, ScaleFault
from lab.simulation.faults import Faults

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def _limit_quota(world: World, faults: Faults, fault: QuotaFault) -> None:
    name, limit = fault.component, fault.limit
    is_pool = isinstance(world.scenario.components[name], NodePool)
    platform = world.machines.node_pool(name) if is_pool else world.deployment(name)
    normal = platform.quota
    faults.stretch(
        (fault.at, fault.duration),
        lambda: platform.allow(limit if normal is None else min(normal, limit)),
        lambda: platform.allow(normal),
        told=(name, "quota"),
    )


def change_number(world: World, faults: Faults, fault: QuotaFault | ScaleFault) -> None:
    """Have the platform give out fewer for a while, or an operator set another number."""
    if isinstance(fault, QuotaFault):
        _limit_quota(world, faults, fault)
        return
    deployment = world.deployment(fault.component)

    def set_number() -> None:
        faults.note(fault.component, "scale", before=deployment.wanted, after=fault.replicas)
        deployment.scale_to(fault.replicas)

    faults.at(fault.at, set_number)
