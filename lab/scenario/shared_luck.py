"""Which draws a measurement is given, and which the real parts make for themselves.

A measured run is sent the requests and the demands of replication 0. What the real parts draw (which server, which key
to evict), and what real work takes, nobody can send: there the two worlds have luck of their own.
"""

from __future__ import annotations

from lab.scenario.components import Database, Service
from lab.scenario.demands import DemandSlot, demand_slots
from lab.scenario.fronts import service_behind
from lab.scenario.scenario import Scenario
from lab.scenario.steps import CpuStep, walk

_SENT = ("client/backoff", "client/throttle")


def shared_streams(scenario: Scenario) -> frozenset[str]:
    """Return the names of the streams whose draws travel to the real backend, those of the workload left out."""
    slots = [
        slot
        for endpoint in service_behind(scenario, scenario.entry).endpoints
        for slot in demand_slots(scenario, endpoint)
    ]
    boots = [f"{name}/boot_time" for name in scenario.components]  # a replica is held until its draw is over
    return frozenset([*_SENT, *boots, *(slot.stream for slot in slots if _is_sent(scenario, slot))])


def demands_known(scenario: Scenario) -> bool:
    """Return whether every demand travels with its request: no step does real work, no statement runs for real."""
    for name, spec in scenario.components.items():
        if isinstance(spec, Database) and any(query.measured_as is not None for query in spec.queries.values()):
            return False
        if isinstance(spec, Service) and any(_works(scenario, name, endpoint) for endpoint in spec.endpoints):
            return False
    return True


def _is_sent(scenario: Scenario, slot: DemandSlot) -> bool:
    match slot.kind:
        case "cpu":
            return not _works(scenario, slot.component, slot.operation)
        case "query":
            database = scenario.components[slot.component]
            assert isinstance(database, Database)
            return database.queries[slot.operation].measured_as is None
        case "wait":
            return True


def _works(scenario: Scenario, service: str, endpoint: str) -> bool:
    """Return whether a step of the endpoint does real work, so that its CPU times are its own."""
    spec = scenario.components[service]
    assert isinstance(spec, Service)
    return any(isinstance(step, CpuStep) and step.work is not None for step in walk(spec.endpoints[endpoint]))
