"""How many replicas a service can have during the run, and whether its processes end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.scenario.components import Service
from lab.scenario.faults import CrashFault, HangFault, ScaleFault, SlowDownFault, ZoneLossFault
from lab.scenario.knative import KnativeAutoscaler
from lab.scenario.serverless import ServerlessAutoscaler
from lab.scenario.zones import strikes

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario


def most_replicas(scenario: Scenario, name: str) -> int:
    """Return the most replicas of a service that take requests at once.

    That is the number there are, or what an operator sets, or what the autoscaler may reach.
    """
    service = scenario.components[name]
    assert isinstance(service, Service)  # or there would be none
    if service.autoscaler is None:
        return max(service.replicas, *_set_by_hand(scenario, name), 0)
    return service.autoscaler.most


def gives_room(scenario: Scenario, name: str) -> bool:
    """Return whether the component is a node pool on which processes of some service need room."""
    parts = scenario.components.values()
    return any(isinstance(part, Service) and part.node_pool == name for part in parts)


def hands_out(service: Service) -> bool:
    """Return whether the service is called directly, however many processes it has: its platform hands requests out."""
    return isinstance(service.autoscaler, ServerlessAutoscaler | KnativeAutoscaler)


def replicas_text(scenario: Scenario, name: str) -> str:
    """Return the number of replicas of a service in words: ``2 replicas``, or ``1 to 4 replicas``."""
    service = scenario.components[name]
    assert isinstance(service, Service)  # or there would be none
    if service.autoscaler is not None:
        return f"{service.autoscaler.min} to {most_replicas(scenario, name)} replicas"
    numbers = [service.replicas, *_set_by_hand(scenario, name)]
    if min(numbers) < max(numbers):
        return f"{min(numbers)} to {max(numbers)} replicas"
    return f"{service.replicas} replica{'s' * (service.replicas != 1)}"


def _set_by_hand(scenario: Scenario, name: str) -> list[int]:
    """The numbers of replicas that an operator sets during the run."""
    return [fault.replicas for fault in scenario.faults if isinstance(fault, ScaleFault) and fault.component == name]


def processes_end(scenario: Scenario, name: str) -> bool:
    """Return whether processes of this service may end, or stop answering, during the run."""
    service = scenario.components[name]
    ends = CrashFault | HangFault | ScaleFault | ZoneLossFault
    fails = any(isinstance(fault, ends) and strikes(scenario, fault, name) for fault in scenario.faults)
    return isinstance(service, Service) and (service.autoscaler is not None or fails)


def can_stand_still(scenario: Scenario, name: str) -> bool:
    """Return whether processes of this service may be frozen or slowed down during the run."""
    service = scenario.components.get(name)
    if isinstance(service, Service) and service.pauses is not None:
        return True
    return any(isinstance(fault, HangFault | SlowDownFault) and fault.component == name for fault in scenario.faults)
