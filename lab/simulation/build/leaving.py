"""Whether a part in the path notices that its clients leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.scenario.leaving import clients_leave
from lab.simulation.gone import Gone

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def heeded(world: World, name: str) -> Gone | None:
    """Return what tells a component which clients have left; None if its callers are no clients, or never leave."""
    return world.gone if clients_leave(world.scenario, name) else None
