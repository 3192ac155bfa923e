"""The matrix: each case calibrated, its loads predicted, stored, then measured and judged.

::

    calibrate at low load --> freeze, hash --> predict every load --> store --> measure, in shuffled order --> judge
         |                                          |                              |
         `------------------- each stage is kept in the session's folder, so an interrupted matrix goes on ----'

Source: the validation protocol, section 3.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from lab.calibration import Calibration, extrapolation
from lab.errors import LabError, MeasurementFailed, NotEnoughData
from lab.measurement.measure import measure
from lab.randomness import Stream
from lab.runs.progress import bar_options
from lab.runs.run import Run
from lab.scenario.calibration import canonical_sha256
from lab.scenario.scenario import Scenario
from lab.scenario.shared_luck import demands_known
from lab.validation.calibrating import calibrating_s, calibration_of
from lab.validation.case import Case
from lab.validation.environment import environment_of
from lab.validation.judge import Verdict
from lab.validation.ledger import CaseRecord, LoadRecord, append
from lab.validation.observation import Observation, observe
from lab.validation.predicting import Prediction, predict
from lab.validation.triangle import error_triangle
from lab.validation.verdicts import rows_of, verdict_of

FULL_REPEATS, QUICK_REPEATS = 5, 2
_ROUNDS = 3
"""How often the repeats that may not judge are measured again before the load is called inconclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Where a matrix is kept and how thoroughly it is measured.

    Attributes:
        folder: of what was done so far: a matrix that was interrupted goes on there.
        records: folder of the records (``measurements/matrix``).
        ledger: file of all verdicts; None: nothing is added.
        quick: fewer loads and repeats.
        rounds: how often invalid repeats are measured anew.
    """

    folder: Path
    records: Path
    ledger: Path | None
    quick: bool = False
    rounds: int = _ROUNDS

    def repeats(self, case: Case) -> int:
        """Return how many valid repeats each load of a case needs."""
        return QUICK_REPEATS if self.quick else case.repeats or FULL_REPEATS


def run_matrix(cases: Sequence[Case], session: Session, *, progress: bool = True) -> Iterator[CaseRecord]:
    """Yield the record of each case as it is finished; what the session's folder holds is not done again.

    A case that cannot be calibrated or simulated keeps no other from its turn; it is told in the end.

    Raises:
        MeasurementFailed: after all others were measured: cases that could not be, with the reason of each.
    """
    total_s = sum(_seconds(case, session) for case in cases)
    failed: list[str] = []
    with tqdm(total=round(total_s), desc="validate", unit="s", **bar_options(progress=progress)) as bar:
        for case in cases:
            bar.set_postfix_str(case.name)
            finished = _folder_of(case, session) / "finished.json"
            if finished.exists():
                bar.update(round(_seconds(case, session)))
                yield CaseRecord.load(finished)
                continue
            try:
                record = _run_case(case, session, bar)
            except LabError as error:
                failed.append(f"{case.name}: {error}")
                continue
            record.save(session.records / f"{case.name}.json")
            if session.ledger is not None:
                for load in record.loads:
                    append(session.ledger, record, load)
            record.save(finished)  # last: only what is in the ledger is finished
            yield record
    if failed:
        raise MeasurementFailed("\n".join(failed))


def _seconds(case: Case, session: Session) -> float:
    """Return how much schedule time a case takes if every repeat is valid."""
    base = case.base()
    loads_s = [base.with_(load.changes).run.duration for load in case.chosen(quick=session.quick).values()]
    return calibrating_s(case, base) + session.repeats(case) * sum(loads_s)


def _run_case(case: Case, session: Session, bar: Any) -> CaseRecord:
    folder = _folder_of(case, session)
    base = case.base()
    calibration = calibration_of(case, base, kept=folder / "calibration.json", rounds=_ROUNDS)
    bar.update(round(calibrating_s(case, base)))
    calibrated = base.with_calibration(calibration)
    chosen = case.chosen(quick=session.quick)
    predictions = {name: predict(case, load, calibrated) for name, load in chosen.items()}
    stored_at = _now()
    for name, prediction in predictions.items():
        (folder / f"predicted {_slug(name)}.json").write_text(json.dumps(prediction.observation.to_dict()))
    loads: dict[str, LoadRecord] = {}
    environment: Mapping[str, Any] = {}
    for name in _shuffled(case.name, list(chosen)):
        kept = folder / f"measured {_slug(name)}.json"
        if kept.exists():
            document = json.loads(kept.read_text())
            loads[name], environment = LoadRecord.from_dict(document["load"]), document["environment"]
            bar.update(round(session.repeats(case) * predictions[name].scenario.run.duration))
            continue
        measured = _measured(case, predictions[name].scenario, session, bar)
        environment = environment_of(measured.run) if measured.run else environment
        loads[name] = _judged(name, predictions[name], measured, calibration, session=session, predicted_at=stored_at)
        kept.write_text(json.dumps({"load": loads[name].to_dict(), "environment": environment}))
    return CaseRecord(
        case=case.name,
        row=case.row,
        model=case.model,
        counterpart=case.counterpart,
        calibration=calibration.to_document(),
        environment=environment,
        measured_on=datetime.now(UTC).date().isoformat(),
        loads=tuple(loads[name] for name in chosen),
    )


def _folder_of(case: Case, session: Session) -> Path:
    """Return the case's folder in the session, empty if it held another version of the case."""
    folder = session.folder / case.name
    version = canonical_sha256(
        {"case": case.model_dump(mode="json", exclude={"folder"}), "scenario": case.base().to_document()}
    )
    mark = folder / "version"
    if folder.exists() and (not mark.exists() or mark.read_text() != version):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(version)
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """What came of measuring one load: the valid repeats, the last Run that holds one, and why others were not."""

    observation: Observation | None
    run: Run | None
    invalid: tuple[str, ...]
    at: str


def _measured(case: Case, scenario: Scenario, session: Session, bar: Any) -> _Measured:
    """Measure a load until enough repeats are valid, or give up after some rounds."""
    observation: Observation | None = None
    last: Run | None = None
    invalid: list[str] = []
    for number in range(session.rounds):
        have = observation.repeats if observation else 0
        try:
            missing = session.repeats(case) - have + (1 if number else 0)  # one more than that: it may fail again
            run = measure(scenario, repeats=missing, about_the_host=case.host, progress=False)
        except MeasurementFailed as error:
            invalid.append(f"round {number + 1}: {error}")
            continue
        problems = run.provenance["validity"]["by_repeat"]
        valid = [repeat for repeat, found in enumerate(problems) if not found]
        invalid += [
            f"round {number + 1}, repeat {repeat}: {'; '.join(found)}" for repeat, found in enumerate(problems) if found
        ]
        try:
            seen = observe(run, case.figures, only=valid) if valid else None
        except NotEnoughData as error:
            invalid.append(f"round {number + 1}: {error}")
            continue
        if seen is not None:
            observation = seen if observation is None else observation.joined(seen)
            last = run.only(valid[0])
        bar.update(round(scenario.run.duration * len(valid)))
        if observation is not None and observation.repeats >= session.repeats(case):
            return _Measured(observation=observation, run=last, invalid=tuple(invalid), at=_now())
    return _Measured(observation=None, run=last, invalid=tuple(invalid), at=_now())


def _judged(  # what a record holds
    name: str,
    prediction: Prediction,
    measured: _Measured,
    calibration: Calibration,
    *,
    session: Session,
    predicted_at: str,
) -> LoadRecord:
    seen = measured.observation
    triangle, said = _taken_apart(prediction.scenario, calibration, measured)
    rows = tuple(rows_of(prediction.observation, seen, prediction.regime)) if seen else ()
    return LoadRecord(
        load=name,
        quick=session.quick,
        scenario=prediction.scenario.to_document(),
        regime=prediction.regime,
        demands="drawn" if demands_known(prediction.scenario) else "calibrated",
        predicted_at=predicted_at,
        predicted=prediction.observation,
        measured_at=measured.at,
        measured=seen,
        invalid=measured.invalid,
        rows=rows,
        verdict=verdict_of(rows) if seen else Verdict.INCONCLUSIVE,
        triangle=triangle,
        warnings=(*extrapolation(prediction.scenario, calibration), *said),
    )


def _taken_apart(
    scenario: Scenario, calibration: Calibration, measured: _Measured
) -> tuple[dict[str, dict[str, float]], tuple[str, ...]]:
    """Return the error triangle, or in words why there is none: some runs (of faults, say) leave too little to fit."""
    if measured.observation is None or measured.run is None:
        return {}, ()
    try:
        return error_triangle(scenario, calibration, measured.run), ()
    except LabError as error:
        return {}, (f"the error was not taken apart: {error}",)


def _shuffled(case: str, names: list[str]) -> list[str]:
    """Return the loads in an order that hangs on nothing but the names: no load is always the first."""
    keys = Stream(seed=0, replication=0, name=f"validation/{case}").uniforms(len(names)).tolist()
    return [name for _, name in sorted(zip(keys, names, strict=True))]


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
