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
    "CachedStep": "lab.scenario.steps",
    "CallStep": "lab.scenario.steps",
    "Cdn": "lab.scenario.components",
    "Calibration": "lab.scenario.calibration",
    "CellKeys": "lab.scenario.keys",
    "CircuitBreaker": "lab.scenario.client",
    "Client": "lab.scenario.client",
    "ClosedWorkload": "lab.scenario.workload",
    "Comparison": "lab.validation.comparison",
    "ConstantBackoff": "lab.scenario.client",
    "ConstantRate": "lab.scenario.arrivals",
    "Context": "lab.simulation.build",
    "CpuStep": "lab.scenario.steps",
    "Database": "lab.scenario.components",
    "Decision": "lab.experiment.decision",
    "DecorrelatedBackoff": "lab.scenario.client",
    "DiurnalRate": "lab.scenario.arrivals",
    "Envoy": "lab.scenario.components",
    "ExponentialBackoff": "lab.scenario.client",
    "Hedge": "lab.scenario.hedge",
    "Herd": "lab.scenario.arrivals",
    "HotCell": "lab.scenario.keys",
    "HotKey": "lab.scenario.keys",
    "InvalidateStep": "lab.scenario.steps",
    "Journey": "lab.scenario.workload",
    "JourneyRequest": "lab.scenario.workload",
    "LabError": "lab.errors",
    "LoadBalancer": "lab.scenario.components",
    "Nginx": "lab.scenario.components",
    "OpenWorkload": "lab.scenario.workload",
    "Outcome": "lab.simulation.request",
    "ParallelStep": "lab.scenario.steps",
    "Pool": "lab.scenario.components",
    "QuerySpec": "lab.scenario.components",
    "Host": "lab.scenario.components",
    "Queue": "lab.scenario.components",
    "Mailbox": "lab.scenario.components",
    "Stream": "lab.scenario.components",
    "QueryStep": "lab.scenario.steps",
    "RateLimiter": "lab.scenario.components",
    "RampRate": "lab.scenario.arrivals",
    "RateObjective": "lab.scenario.objectives",
    "RateStep": "lab.scenario.arrivals",
    "RatioObjective": "lab.scenario.objectives",
    "ReplayWorkload": "lab.scenario.workload",
    "Request": "lab.simulation.request",
    "Retry": "lab.scenario.client",
    "RetryBudget": "lab.scenario.retry_budget",
    "Run": "lab.runs.run",
    "RunSpec": "lab.scenario.scenario",
    "Scale": "lab.scenario.scale",
    "Scenario": "lab.scenario.scenario",
    "Service": "lab.scenario.components",
    "SessionsWorkload": "lab.scenario.workload",
    "SojournTimeObjective": "lab.scenario.objectives",
    "SpikeRate": "lab.scenario.arrivals",
    "StepsRate": "lab.scenario.arrivals",
    "SumRate": "lab.scenario.arrivals",
    "Throttle": "lab.scenario.client_throttle",
    "TransactionStep": "lab.scenario.steps",
    "UniformKeys": "lab.scenario.keys",
    "WaitingRoom": "lab.scenario.components",
    "WaitStep": "lab.scenario.steps",
    "ZipfKeys": "lab.scenario.keys",
    "arithmetic": "lab.scenario.arithmetic",
    "calibrate": "lab.calibration.calibrate",
    "calibrate_from_client": "lab.calibration.client_log",
    "compare": "lab.validation.compare",
    "decide": "lab.experiment.decide",
    "difference": "lab.experiment.paired",
    "extrapolation": "lab.scenario.extrapolation",
    "measure": "lab.measurement.measure",
    "mermaid": "lab.scenario.topology",
    "parse_scenario": "lab.scenario.reader",
    "read_calibration": "lab.scenario.calibration",
    "read_scenario": "lab.scenario.reader",
    "scenario_of_log": "lab.calibration.client_log",
    "simulate": "lab.experiment.simulate",
    "to_yaml": "lab.scenario.writer",
    "write_report": "lab.report",
    "write_scenario": "lab.scenario.writer",
}
_MODULES = ("distributions", "errors", "lessons", "plots", "randomness", "theory", "units")

__all__ = [*_HOME, *_MODULES, "__version__"]  # noqa: PLE0604  # names, all of them texts

if TYPE_CHECKING:
    from lab import distributions, errors, lessons, plots, randomness, theory, units
    from lab.calibration.calibrate import calibrate
    from lab.calibration.client_log import calibrate_from_client, scenario_of_log
    from lab.errors import LabError
    from lab.experiment.decide import decide
    from lab.experiment.decision import Decision
    from lab.experiment.paired import difference
    from lab.experiment.simulate import simulate
    from lab.measurement.measure import measure
    from lab.report import write_report
    from lab.runs.run import Run
    from lab.scenario.arithmetic import arithmetic
    from lab.scenario.arrivals import (
        ConstantRate,
        DiurnalRate,
        Herd,
        RampRate,
        RateStep,
        SpikeRate,
        StepsRate,
        SumRate,
    )
    from lab.scenario.calibration import Calibration, read_calibration
    from lab.scenario.client import (
        CircuitBreaker,
        Client,
        ConstantBackoff,
        DecorrelatedBackoff,
        ExponentialBackoff,
        Retry,
    )
    from lab.scenario.client_throttle import Throttle
    from lab.scenario.components import (
        Cache,
        Database,
        Envoy,
        Host,
        LoadBalancer,
        Mailbox,
        Nginx,
        Pool,
        QuerySpec,
        Queue,
        RateLimiter,
        Service,
        Stream,
        WaitingRoom,
    )
    from lab.scenario.extrapolation import extrapolation
    from lab.scenario.hedge import Hedge
    from lab.scenario.keys import CellKeys, HotCell, HotKey, UniformKeys, ZipfKeys
    from lab.scenario.objectives import RateObjective, RatioObjective, SojournTimeObjective
    from lab.scenario.reader import parse_scenario, read_scenario
    from lab.scenario.retry_budget import RetryBudget
    from lab.scenario.scale import Scale
    from lab.scenario.scenario import RunSpec, Scenario
    from lab.scenario.steps import CachedStep, CallStep, CpuStep, ParallelStep, QueryStep, TransactionStep, WaitStep
    from lab.scenario.topology import mermaid
    from lab.scenario.workload import (
        ClosedWorkload,
        Journey,
        JourneyRequest,
        OpenWorkload,
        ReplayWorkload,
        SessionsWorkload,
    )
    from lab.scenario.writer import to_yaml, write_scenario
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
