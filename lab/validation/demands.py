"""Did the simulator know the very demands that were measured, or only what calibration says of them?"""

from __future__ import annotations

from lab.scenario.components import Database, Service
from lab.scenario.scenario import Scenario
from lab.scenario.steps import CpuStep, walk

_DRAWN = ("select", "insert")


def demands_known(scenario: Scenario) -> bool:
    """Return whether every demand travels with its request: no step does real work, no statement runs for real."""
    for spec in scenario.components.values():
        if isinstance(spec, Database) and any(query.statement not in _DRAWN for query in spec.queries.values()):
            return False
        if isinstance(spec, Service):
            steps = (step for endpoint in spec.endpoints.values() for step in walk(endpoint))
            if any(isinstance(step, CpuStep) and getattr(step, "work", None) is not None for step in steps):
                return False
    return True
