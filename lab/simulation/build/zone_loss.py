"""Has a zone be lost for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.scenario.faults import ZoneLossFault
from lab.scenario.zones import services_in
from lab.simulation.faults import Faults

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def lose_zone(world: World, faults: Faults, fault: ZoneLossFault) -> None:
    """Have all processes in the zone end at its time, service by service, and be started again when it is back."""
    struck = [(name, world.deployment(name), world.zones(name)) for name in services_in(world.scenario, fault.zone)]

    def begin() -> None:
        ending = [(name, deployment, zones.lose(fault.zone)) for name, deployment, zones in struck]
        for name, deployment, members in ending:
            under_way = sum(member.under_way for member in members)
            replicas = [member.index for member in members]
            faults.note(name, "zone_loss", zone=fault.zone, replicas=replicas, under_way=under_way)
            for member in members:
                deployment.crash(member, restart_after_s=fault.duration)

    def end() -> None:
        for name, _, zones in struck:
            zones.regain(fault.zone)
            faults.note(name, "zone_loss_over", zone=fault.zone)

    faults.at(fault.at, begin)
    faults.at(fault.at + fault.duration, end)
