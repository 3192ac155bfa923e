"""Makes a stream and introduces it to the replicas that read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.scenario.components import Stream as Spec
from lab.simulation.stream.consumer import Reading
from lab.simulation.stream.partition import Partitions
from lab.simulation.stream.stream import Stream

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_stream(world: World, name: str, spec: Spec) -> Stream:
    """Return the stream; its group follows the comings and goings of the consuming processes."""
    partitions = Partitions(clock=world.clock, log=world.log, name=name, count=spec.partitions)
    return Stream(
        reading=Reading(
            clock=world.clock,
            log=world.log,
            name=name,
            spec=spec,
            partitions=partitions,
            poll_time=world.unless_free(f"{name}/poll", spec.poll_time),
        ),
        fleet=world.fleet(spec.consumer),
        publish_time=world.variate(f"{name}/publish", spec.publish_time),
    )
