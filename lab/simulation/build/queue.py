"""Makes a message queue and introduces it to the replicas that consume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.distributions import mean_s
from lab.scenario.components import Queue as Spec
from lab.simulation.queue.broker import Broker
from lab.simulation.queue.lane import Exchanges

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_queue(world: World, name: str, spec: Spec) -> Broker:
    """Return the broker; it follows the comings and goings of its consumers."""
    return Broker(
        clock=world.clock,
        log=world.log,
        name=name,
        spec=spec,
        fleet=world.fleet(spec.consumer),
        exchanges=Exchanges(
            publish=world.variate(f"{name}/publish", spec.publish_time),
            access=None if mean_s(spec.access_time) == 0 else world.variate(f"{name}/access", spec.access_time),
        ),
    )
