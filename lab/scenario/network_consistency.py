"""Whether payloads, connections and lost packets have a network of the clients to be on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.scenario.components import Service
from lab.scenario.faults import DisconnectFault, PacketLossFault
from lab.scenario.fronts import leads_to
from lab.scenario.problems import Path, Problem, shown
from lab.scenario.workload import ClosedWorkload, SessionsWorkload

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario


def network_problems(scenario: Scenario) -> Iterator[Problem]:
    """Yield what is said of bytes that cross no network of the clients, and of connections that nobody opens."""
    yield from _connection_problems(scenario)
    asked = leads_to(scenario, scenario.entry)[-1]
    for name, component in scenario.components.items():
        if not isinstance(component, Service) or not component.payloads:
            continue
        where: Path = ("components", name, "payloads")
        if scenario.client.network is None:
            message = "has no effect, as bytes take no time without a client.network; add one, or leave this out"
            yield Problem(path=where, message=message)
        elif name != asked:
            message = f"has no effect: clients ask {asked!r}, and calls between services are not slowed by bytes"
            yield Problem(path=where, message=message)
        for endpoint in component.payloads:
            if endpoint not in component.endpoints:
                known = ", ".join(component.endpoints)
                message = f"there is no endpoint {shown(endpoint)} (there are: {known})"
                yield Problem(path=(*where, endpoint), message=message)


def network_fault_problems(
    scenario: Scenario, fault: PacketLossFault | DisconnectFault, where: Path
) -> Iterator[Problem]:
    """Yield why there is nothing to lose, or no more than always."""
    network, connections = scenario.client.network, scenario.client.connections
    if isinstance(fault, DisconnectFault):
        if connections is None:
            message = "needs client.connections that could be closed; add them, or leave this out"
            yield Problem(path=(*where, "kind"), message=message)
    elif network is None:
        message = "needs a client.network whose packets can be lost; add one, or let the entry hang instead"
        yield Problem(path=(*where, "kind"), message=message)
    elif fault.loss <= network.loss:
        message = f"is no more than the {network.loss * 100:g}% that client.network always loses; give more"
        yield Problem(path=(*where, "loss"), message=message)


def _connection_problems(scenario: Scenario) -> Iterator[Problem]:
    connections, workload = scenario.client.connections, scenario.workload
    if connections is not None and connections.limit is not None and connections.new is not None:
        message = "cannot count connections that are open already; leave new out, so that all are opened"
        yield Problem(path=("client", "connections", "limit"), message=message)
    keeps_clients = isinstance(workload, ClosedWorkload | SessionsWorkload)
    if connections is not None and connections.new is not None and keeps_clients:
        message = (
            f"has no effect in a workload of kind {workload.kind}, whose clients open their connections themselves; "
            "leave it out"
        )
        yield Problem(path=("client", "connections", "new"), message=message)
