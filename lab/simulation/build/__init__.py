"""From a Scenario to wired parts: the only place that knows all kinds of them.

:class:`World` finds or makes a part by its name; each kind has one file here that makes its parts.
"""

from lab.simulation.build.context import Context, OwnComponents
from lab.simulation.build.world import World

__all__ = ["Context", "OwnComponents", "World"]
