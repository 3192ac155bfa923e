"""The calibration of a case: one measured run after the other, each fitting its own parameters, frozen as one."""

from __future__ import annotations

from pathlib import Path

from lab.calibration import Calibration, calibrate, joined, mean_of_repeats, read_calibration
from lab.errors import MeasurementFailed
from lab.measurement.measure import measure
from lab.scenario.scenario import Scenario
from lab.validation.case import CalibrationPlan, Case


def calibrating_s(case: Case, base: Scenario) -> float:
    """Return how much schedule time the case's calibration takes if every repeat is valid."""
    return sum(plan.repeats * base.with_(plan.changes).run.duration for plan in case.calibration)


def calibration_of(case: Case, base: Scenario, *, kept: Path, rounds: int) -> Calibration:
    """Return the case's frozen calibration: the one that was kept if there is one, else measured now and kept.

    Args:
        base: the case's scenario.
        kept: the file of the calibration.
        rounds: how often repeats that may not be used are measured anew.

    Raises:
        MeasurementFailed: a run could not be measured often enough.
    """
    if kept.exists():
        return read_calibration(kept)
    known = base
    found: list[Calibration] = []
    for plan in case.calibration:
        found.append(_fitted(plan, known.with_(plan.changes), case=case, rounds=rounds))
        known = found[-1].apply(known)
    calibration = joined(found)
    calibration.save(kept)
    return calibration


def _fitted(plan: CalibrationPlan, scenario: Scenario, *, case: Case, rounds: int) -> Calibration:
    """Measure a plan's load until enough repeats are valid, and return the mean of what they tell."""
    found: list[Calibration] = []
    problems: list[str] = []
    for _ in range(rounds):
        run = measure(scenario, repeats=plan.repeats - len(found), about_the_host=case.host, progress=False)
        judged = run.provenance["validity"]["by_repeat"]
        valid = [repeat for repeat, told in enumerate(judged) if not told]
        found += [calibrate(run.only(repeat), scenario, plan.parameters) for repeat in valid]
        problems += [problem for told in judged for problem in told]
        if len(found) == plan.repeats:
            return found[0] if plan.repeats == 1 else mean_of_repeats(found)
    raise MeasurementFailed(f"its calibration may not be used: {'; '.join(problems)}; run it on a quiet machine")
