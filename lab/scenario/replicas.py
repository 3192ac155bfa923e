"""How many replicas a service can have during the run, and whether its processes end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.scenario.components import Service
from lab.scenario.faults import CrashFault, HangFault, SlowDownFault

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario


def most_replicas(service: Service) -> int:
    """Return the most replicas that take requests at once: the number there are, or what the autoscaler may reach."""
    autoscaler = service.autoscaler
    if autoscaler is None:
        return service.replicas
    return autoscaler.max if autoscaler.quota is None else min(autoscaler.max, autoscaler.quota)


def replicas_text(service: Service) -> str:
    """Return the number of replicas in words.

    >>> from lab.scenario.steps import WaitStep
    >>> replicas_text(Service(replicas=2, endpoints={"get": (WaitStep(time="1ms"),)}))
    '2 replicas'
    """
    autoscaler = service.autoscaler
    if autoscaler is None:
        return f"{service.replicas} replica{'s' * (service.replicas != 1)}"
    return f"{autoscaler.min} to {most_replicas(service)} replicas"


def processes_end(scenario: Scenario, name: str) -> bool:
    """Return whether processes of this service may end, or stop answering, during the run."""
    service = scenario.components[name]
    fails = any(isinstance(fault, CrashFault | HangFault) and fault.component == name for fault in scenario.faults)
    return isinstance(service, Service) and (service.autoscaler is not None or fails)


def can_stand_still(scenario: Scenario, name: str) -> bool:
    """Return whether processes of this service may be frozen or slowed down during the run."""
    return any(isinstance(fault, HangFault | SlowDownFault) and fault.component == name for fault in scenario.faults)
