"""Judge the simulator against what was recorded: no server is started, so anyone can, after any change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from joblib import Parallel, delayed

from lab.scenario.scenario import Scenario
from lab.validation.ledger import CaseRecord, LoadRecord
from lab.validation.observation import Observation
from lab.validation.predicting import expected
from lab.validation.verdicts import rows_of, verdict_of

Change = Callable[[Scenario], Scenario]


def judge_again(records: Sequence[CaseRecord], *, change: Change | None = None) -> Iterator[CaseRecord]:
    """Yield each record with the prediction of today's simulator and the verdict that it earns.

    The scenario of each load holds its calibrated values, so nothing is fitted anew. Loads that could not be measured
    stay inconclusive.

    Args:
        records: what was measured.
        change: applied to each scenario before it is simulated, to see whether a model that is detuned is caught.
    """
    tasks = [(case, load) for case in records for load in case.loads if load.measured is not None]
    predicted = Parallel(n_jobs=-1, return_as="generator")(delayed(_predict_again)(load, change) for _, load in tasks)
    again = {(case.case, load.load): each for (case, load), each in zip(tasks, predicted, strict=True)}
    for case in records:
        yield replace(case, loads=tuple(_judged(load, again.get((case.case, load.load))) for load in case.loads))


def _predict_again(load: LoadRecord, change: Change | None) -> Observation:
    scenario = Scenario.model_validate(load.scenario)
    wanted = [*load.predicted.figures, *load.predicted.series]
    return expected(change(scenario) if change else scenario, wanted)


def _judged(load: LoadRecord, predicted: Observation | None) -> LoadRecord:
    if predicted is None or load.measured is None:
        return load
    rows = tuple(rows_of(predicted, load.measured, load.regime))
    return replace(load, predicted=predicted, rows=rows, verdict=verdict_of(rows))
