"""Predict how a backend behaves under a spike, measure the real thing, and compare.

    scenario = lab.read_scenario("scenarios/validation/first_spike.yaml")
    predicted = lab.simulate(scenario)
    measured = lab.measure(scenario)
    lab.compare(predicted, measured)

Importing it is quick and does nothing else: each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOME = {
    "Cache": "lab.scenario.components",
    "Client": "lab.scenario.client",
    "Comparison": "lab.validation.comparison",
    "Context": "lab.simulation.build",
    "Database": "lab.scenario.components",
    "LabError": "lab.errors",
    "LoadBalancer": "lab.scenario.components",
    "OpenWorkload": "lab.scenario.workload",
    "Outcome": "lab.simulation.request",
    "Pool": "lab.scenario.components",
    "Request": "lab.simulation.request",
    "Retry": "lab.scenario.client",
    "Run": "lab.runs.run",
    "RunSpec": "lab.scenario.scenario",
    "Scenario": "lab.scenario.scenario",
    "Service": "lab.scenario.components",
    "arithmetic": "lab.scenario.arithmetic",
    "compare": "lab.validation.compare",
    "difference": "lab.experiment.paired",
    "measure": "lab.measurement.measure",
    "mermaid": "lab.scenario.topology",
    "parse_scenario": "lab.scenario.reader",
    "read_scenario": "lab.scenario.reader",
    "simulate": "lab.experiment.simulate",
    "write_report": "lab.report",
    "write_scenario": "lab.scenario.writer",
}
_MODULES = ("distributions", "errors", "plots", "randomness", "theory", "units")

__all__ = [*_HOME, *_MODULES, "__version__"]  # noqa: PLE0604  # names, all of them texts

if TYPE_CHECKING:
    from lab import distributions, errors, plots, randomness, theory, units
    from lab.errors import LabError
    from lab.experiment.paired import difference
    from lab.experiment.simulate import simulate
    from lab.measurement.measure import measure
    from lab.report import write_report
    from lab.runs.run import Run
    from lab.scenario.arithmetic import arithmetic
    from lab.scenario.client import Client, Retry
    from lab.scenario.components import Cache, Database, LoadBalancer, Pool, Service
    from lab.scenario.reader import parse_scenario, read_scenario
    from lab.scenario.scenario import RunSpec, Scenario
    from lab.scenario.topology import mermaid
    from lab.scenario.workload import OpenWorkload
    from lab.scenario.writer import write_scenario
    from lab.simulation.build import Context
    from lab.simulation.request import Outcome, Request
    from lab.validation.compare import compare
    from lab.validation.comparison import Comparison


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"lab.{name}")
    if name == "__version__":
        from lab.versions import lab_version

        return lab_version()
    raise AttributeError(f"module 'lab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
