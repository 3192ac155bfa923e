"""The faults of a scenario as the reference backend reads them."""

from __future__ import annotations

from typing import Any

from lab.measurement.refusals import no_counterpart
from lab.scenario.faults import Fault, FlushFault


def fault_document(fault: Fault, where: str) -> dict[str, Any]:
    """Return one fault of the deployment document, times in seconds after the schedule's zero.

    Raises:
        Unsupported: the reference backend cannot have this happen.
    """
    match fault:
        case FlushFault():
            return {"kind": "flush", "at_s": fault.at, "component": fault.component}
        case _:
            raise no_counterpart(where, fault.kind)
