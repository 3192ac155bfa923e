"""The prediction of one held-out load, made before it is measured."""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

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
        observation: its figures; the first value is for the requests that will be sent.
        regime: which margins will apply.
    """

    scenario: Scenario
    observation: Observation
    regime: Regime


def predict(case: Case, load: Load, calibrated: Scenario) -> Prediction:
    """Return the prediction of a load, over the scenario's replications."""
    scenario = calibrated.with_(load.changes)
    return Prediction(
        scenario=scenario,
        observation=expected(scenario, case.figures),
        regime=regime(scenario, arithmetic(scenario)),
    )


def expected(scenario: Scenario, wanted: Sequence[str]) -> Observation:
    """Return what is to be expected of a scenario: first of the very run that a measurement is sent, then of others.

    The first value of each figure is the mean over twins: they have the requests and demands that are sent, and differ
    in what the real parts will draw for themselves, which nobody can know. The others are replications of other worlds.
    """
    worlds, twins = (observe(quietly_simulated(scenario, twins=each), wanted) for each in (False, True))
    return replace(
        worlds,
        figures={
            name: (_mean(twins.figures.get(name, values[:1])), *values[1:]) for name, values in worlds.figures.items()
        },
        series={name: (_middle(twins.series[name]), *rows[1:]) for name, rows in worlds.series.items()},
        sojourn_times_s=(_means(twins.sojourn_times_s), *worlds.sojourn_times_s[1:]),
        timeline={name: (_means(twins.timeline[name]), *rows[1:]) for name, rows in worlds.timeline.items()},
    )


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan


def _means(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    return tuple(_mean(column) for column in zip(*rows, strict=True))


def _middle(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Return the median of each place, the lower of two: of whole numbers one that occurs."""
    known = [[value for value in column if not math.isnan(value)] for column in zip(*rows, strict=True)]
    return tuple(statistics.median_low(column) if column else math.nan for column in known)


@contextmanager
def overload_is_wanted() -> Iterator[None]:
    """Keep the simulator from warning of an overload: some loads are about one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverloadWarning)
        yield


def quietly_simulated(scenario: Scenario, *, replay: Run | None = None, twins: bool = False) -> Run:
    """Return the predicted Run, in one process and without a word."""
    with overload_is_wanted():
        return simulate(scenario, replay=replay, twins=twins, allow_unstable=True, progress=False, n_jobs=1)
