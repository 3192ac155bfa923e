"""The faults of a scenario as the reference backend reads them."""

from __future__ import annotations

from typing import Any

from lab.measurement.refusals import no_counterpart
from lab.scenario.faults import CrashFault, Fault, FlushFault, HangFault, SlowDownFault


def fault_document(fault: Fault, where: str) -> dict[str, Any]:
    """Return one fault of the deployment document, times in seconds after the schedule's zero.

    Raises:
        Unsupported: the reference backend cannot have this happen.
    """
    match fault:
        case FlushFault():
            return {"kind": "flush", "at_s": fault.at, "component": fault.component}
        case CrashFault():
            return {**_of_replicas(fault), "restart_after_s": fault.restart_after}
        case HangFault():
            return {**_of_replicas(fault), "duration_s": fault.duration}
        case SlowDownFault():
            shared = _of_replicas(fault)
            return {**shared, "factor": fault.factor, "steps": fault.steps, "duration_s": fault.duration}
        case _:
            raise no_counterpart(where, fault.kind)


def _of_replicas(fault: CrashFault | HangFault | SlowDownFault) -> dict[str, Any]:
    return {
        "kind": fault.kind,
        "at_s": fault.at,
        "component": fault.component,
        "replicas": fault.replicas,
        "replica": fault.replica,
    }
