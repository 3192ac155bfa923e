"""Zones: which service has replicas where, and what the loss of one strikes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.scenario.faults import Fault, ZoneLossFault, struck
from lab.scenario.service import Service

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario


def services_in(scenario: Scenario, zone: str) -> tuple[str, ...]:
    """Return the names of the services that have replicas in a zone."""
    parts = scenario.components.items()
    return tuple(name for name, part in parts if isinstance(part, Service) and zone in part.zones)


def strikes(scenario: Scenario, fault: Fault, name: str) -> bool:
    """Return whether a fault strikes this component, if only some of its replicas."""
    if isinstance(fault, ZoneLossFault):
        return name in services_in(scenario, fault.zone)
    return name in struck(fault)
