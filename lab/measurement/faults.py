"""The faults of a scenario as the reference backend reads them."""

from __future__ import annotations

from typing import Any

from lab.measurement.refusals import no_counterpart
from lab.scenario.components import Database, Service
from lab.scenario.faults import CrashFault, FlushFault, HangFault, PartitionFault, SlowDownFault, SlowLinkFault
from lab.scenario.scenario import Scenario


def fault_document(scenario: Scenario, number: int) -> dict[str, Any]:
    """Return one fault of the deployment document, times in seconds after the schedule's zero.

    Raises:
        Unsupported: the reference backend cannot have this happen.
    """
    fault, where = scenario.faults[number], f"faults.{number}"
    struck = scenario.components.get(getattr(fault, "component", ""))
    match fault:
        case FlushFault():
            return {"kind": "flush", "at_s": fault.at, "component": fault.component}
        case CrashFault() if isinstance(struck, Service | Database):
            return {**_of_replicas(fault), "restart_after_s": fault.restart_after}
        case HangFault() if isinstance(struck, Service):
            return {**_of_replicas(fault), "duration_s": fault.duration}
        case SlowDownFault() if isinstance(struck, Service):
            shared = _of_replicas(fault)
            return {**shared, "factor": fault.factor, "steps": fault.steps, "duration_s": fault.duration}
        case PartitionFault():
            return _of_a_link(fault)
        case SlowLinkFault():
            return _of_a_link(fault) | {"delay_s": fault.delay}
        case _:
            of = "" if struck is None else f" of a {struck.kind}"
            raise no_counterpart(where, f"{fault.kind}{of}")


def _of_replicas(fault: CrashFault | HangFault | SlowDownFault) -> dict[str, Any]:
    return {
        "kind": fault.kind,
        "at_s": fault.at,
        "component": fault.component,
        "replicas": fault.replicas,
        "replica": fault.replica,
    }


def _of_a_link(fault: PartitionFault | SlowLinkFault) -> dict[str, Any]:
    return {"kind": fault.kind, "at_s": fault.at, "between": list(fault.between), "duration_s": fault.duration}
