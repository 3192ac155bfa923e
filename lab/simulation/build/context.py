"""What a user's own component is given to stand in the simulated world."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lab.distributions import Distribution
from lab.simulation.clock import Clock
from lab.simulation.log import Log
from lab.simulation.request import Part
from lab.simulation.variate import Variate


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a part needs from the world it stands in; a user's own component gets one too.

    Attributes:
        clock: the SimPy environment.
        log: where visits are written.
        name: the component's name in the scenario.
        replica: which replica of it this is.
        part: finds another component by name, to call its ``handle``.
        replicas: finds the replicas of a service by name, for a balancer of one's own.
        variate: makes the drawn times of a stream, from the stream's name and a distribution.
    """

    clock: Clock
    log: Log
    name: str
    replica: int
    part: Callable[[str], Part]
    replicas: Callable[[str], tuple[Part, ...]]
    variate: Callable[[str, Distribution], Variate]


OwnComponents = Mapping[str, Callable[[Context], Part]]
"""Component name to what makes the user's own part for it, once for each replica."""
