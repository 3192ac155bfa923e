"""Makes a mailbox and introduces it to the replicas that deliver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.scenario.components import Mailbox as Spec
from lab.simulation.mailbox.mailbox import Mailbox
from lab.simulation.presence import Attendance

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_mailbox(world: World, name: str, spec: Spec) -> Mailbox:
    """Return the mailbox of all recipients; it follows the comings and goings of the processes that deliver."""
    return Mailbox(
        place=(world.clock, world.log, name),
        spec=spec,
        fleet=world.fleet(spec.consumer),
        attendance=Attendance(spec=spec, stream=world.stream(f"{name}/presence")),
        publish_time=world.variate(f"{name}/publish", spec.publish_time),
        duration_s=world.scenario.run.duration,
    )
