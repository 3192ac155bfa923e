"""The prediction of one held-out load, made before it is measured."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab.experiment.simulate import OverloadWarning, simulate
from lab.runs.run import Run
from lab.scenario.arithmetic import arithmetic
from lab.scenario.scenario import Scenario
from lab.validation.case import Case, Load
from lab.validation.margins import Regime, regime
from lab.validation.observation import Observation, observe


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the simulator says of one load.

    Attributes:
        scenario: the calibrated scenario of this load.
        observation: its figures; the first replication has the requests that will be sent.
        regime: which margins will apply.
    """

    scenario: Scenario
    observation: Observation
    regime: Regime


def scenario_of(load: Load, calibrated: Scenario) -> Scenario:
    """Return the scenario of one load: the calibrated one with the load's changes."""
    return calibrated.with_(load.changes)


def predict(case: Case, load: Load, calibrated: Scenario) -> Prediction:
    """Return the prediction of a load, over the scenario's replications."""
    scenario = scenario_of(load, calibrated)
    run = quietly_simulated(scenario)
    return Prediction(
        scenario=scenario,
        observation=observe(run, case.figures),
        regime=regime(scenario, arithmetic(scenario)),
    )


@contextmanager
def overload_is_wanted() -> Iterator[None]:
    """Keep the simulator from warning of an overload: some loads are about one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverloadWarning)
        yield


def quietly_simulated(scenario: Scenario, *, replay: Run | None = None) -> Run:
    """Return the predicted Run, in one process and without a word."""
    with overload_is_wanted():
        return simulate(scenario, replay=replay, allow_unstable=True, progress=False, n_jobs=1)
