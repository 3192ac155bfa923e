"""Compare a predicted with a measured Run of one scenario."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from lab.errors import DomainError
from lab.runs.run import Run
from lab.scenario.arithmetic import arithmetic
from lab.scenario.scenario import Scenario
from lab.validation.comparison import Comparison
from lab.validation.judge import Row, judge
from lab.validation.margins import margin, regime
from lab.validation.observation import ALWAYS, OF_COMPONENTS

_TEXTS = ("question", "facts", "assumptions", "not_modelled", "objectives", "calibration")


def compare(a: Run, b: Run) -> Comparison:
    """Return the comparison of a predicted and a measured Run, given in either order.

    Raises:
        DomainError: they are not one predicted and one measured Run of the same scenario. For two predictions use
            :func:`lab.difference`.
    """
    worlds = {a.world: a, b.world: b}
    if set(worlds) != {"predicted", "measured"}:
        raise DomainError(
            f"both Runs are {a.world}; a comparison judges a prediction by a measurement. For the difference between "
            "two predictions use lab.difference(before, after)"
        )
    predicted, measured = worlds["predicted"], worlds["measured"]
    ours, theirs = _what_matters(predicted.scenario), _what_matters(measured.scenario)
    if ours != theirs:
        raise DomainError(
            f"the Runs are of different scenarios: {_first_difference(ours, theirs)}; simulate and measure the same one"
        )
    scenario = Scenario.model_validate(predicted.scenario)
    which = regime(scenario, arithmetic(scenario))
    same_requests = predicted.schedule_fingerprint() == measured.schedule_fingerprint()
    paired = same_requests and predicted.seed == measured.seed  # the seed decides the demands
    rows = tuple(_rows(predicted, measured, paired, which))
    validity = measured.provenance.get("validity", {})
    return Comparison(
        predicted=predicted,
        measured=measured,
        rows=rows,
        regime=which,
        paired=paired,
        invalid=tuple(validity.get("problems", ())),
    )


def _rows(predicted: Run, measured: Run, paired: bool, which: Any) -> list[Row]:
    here, there = _by_figure(predicted), _by_figure(measured)
    wanted = [(metric, "all") for metric in ALWAYS]
    wanted += [(metric, subject) for metric in OF_COMPONENTS for name, subject in here if name == metric]
    rows = []
    for metric, subject in wanted:
        ours, theirs = here.get((metric, subject)), there.get((metric, subject))
        if ours is None or theirs is None:
            continue  # one world cannot observe it, and its Run says so
        values = ours["value"].tolist()
        rows.append(
            judge(
                name=(metric, subject, str(ours["unit"].iloc[0])),
                predicted=values[0] if paired else math.fsum(values) / len(values),
                replications=values,
                repeats=theirs["value"].tolist(),
                margin=margin(metric, which),
            )
        )
    return rows


def _by_figure(run: Run) -> dict[tuple[str, str], pd.DataFrame]:
    groups = run.metrics().groupby(["metric", "subject"], sort=False)
    return {(str(metric), str(subject)): group for (metric, subject), group in groups}


def _what_matters(scenario: Mapping[str, Any]) -> dict[str, Any]:
    """The scenario without how often and from which seed it is run, its texts, and where its values came from.

    Keys that the language has gained since a Run was recorded stand at their defaults, which mean what it meant then.
    """
    whole = Scenario.model_validate(scenario).model_dump(mode="json")
    kept = {key: value for key, value in whole.items() if key not in _TEXTS}
    return kept | {"run": {key: whole["run"][key] for key in ("duration", "warm_up")}}


def _first_difference(a: Mapping[str, Any], b: Mapping[str, Any], path: str = "") -> str:
    for key in [*a, *(key for key in b if key not in a)]:
        here, there = a.get(key), b.get(key)
        if here != there and key not in _TEXTS:
            if isinstance(here, Mapping) and isinstance(there, Mapping):
                return _first_difference(here, there, f"{path}{key}.")
            return f"{path}{key} is {here!r} in one and {there!r} in the other"
    return "they differ in order only"
