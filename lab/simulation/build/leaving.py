"""Whether a part in the path notices that its clients leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.scenario.fronts import leads_to
from lab.simulation.gone import Gone

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def heeded(world: World, name: str) -> Gone | None:
    """Return what tells a component which clients have left; None if its callers are no clients, or never leave."""
    client = world.scenario.client
    patient = client.timeout is None and client.deadline is None
    asked_by_clients = name in leads_to(world.scenario, world.scenario.entry)
    return world.gone if asked_by_clients and not patient else None
