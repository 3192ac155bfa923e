"""Whether the loss of a zone strikes somebody, and nothing that the lab does not know of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.scenario.faults import CrashFault, ScaleFault, ZoneLossFault, ends_s
from lab.scenario.problems import Path, Problem, shown
from lab.scenario.service import Service
from lab.scenario.zones import services_in

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario


def zone_problems(scenario: Scenario, fault: ZoneLossFault, where: Path) -> Iterator[Problem]:
    """Yield what is wrong with the loss of a zone."""
    services = services_in(scenario, fault.zone)
    if not services:
        parts = scenario.components.values()
        known = dict.fromkeys(zone for part in parts if isinstance(part, Service) for zone in part.zones)
        listed = ", ".join(known) or "none"
        message = f"no service has replicas in {shown(fault.zone)} (zones: {listed}); give a service its zones"
        yield Problem(path=(*where, "zone"), message=message)
    for name in services:
        service = scenario.components[name]
        assert isinstance(service, Service)  # it has zones
        if _restarts_meanwhile(scenario, fault, name):
            message = (
                f"lasts while a crashed process of {name!r} is started again, and whether that could be is not "
                "modelled; let the crash come at another time, or leave its restart_after out"
            )
            yield Problem(path=(*where, "at"), message=message)
        if _grows(scenario, name, service) and _all_lost(scenario, fault, service):
            message = (
                f"leaves {name!r} no zone in which new processes could be started, and what becomes of them is not "
                "modelled; spread it over another zone, or leave out what changes its number"
            )
            yield Problem(path=(*where, "zone"), message=message)


def _restarts_meanwhile(scenario: Scenario, loss: ZoneLossFault, name: str) -> bool:
    return any(
        isinstance(fault, CrashFault)
        and fault.component == name
        and fault.restart_after is not None
        and max(fault.at, loss.at) <= min(ends_s(fault), ends_s(loss))
        for fault in scenario.faults
    )


def _grows(scenario: Scenario, name: str, service: Service) -> bool:
    by_hand = any(isinstance(fault, ScaleFault) and fault.component == name for fault in scenario.faults)
    return by_hand or service.autoscaler is not None


def _all_lost(scenario: Scenario, loss: ZoneLossFault, service: Service) -> bool:
    """Whether every zone of a service is lost at the time when this one goes."""
    lost = {
        fault.zone
        for fault in scenario.faults
        if isinstance(fault, ZoneLossFault) and fault.at <= loss.at < ends_s(fault)
    }
    return set(service.zones) <= lost
