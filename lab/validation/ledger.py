"""The ledger: what was predicted, what was measured, what was said of it. Misses stay.

A record is one JSON file a case, ``measurements/matrix/CASE.json``: small enough to keep in the repository, and all
that is needed to judge the simulator again without a server. ``measurements/ledger.jsonl`` has a line for each verdict
that was ever given; lines are only added.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from lab.errors import RunStorageError
from lab.scenario.calibration import canonical_sha256
from lab.validation.case import in_order
from lab.validation.judge import Row, Verdict, gravest
from lab.validation.margins import Margin, Regime
from lab.validation.observation import Observation

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRecord:
    """One held-out load.

    Attributes:
        load: its name in the case.
        quick: whether it was measured by the quick matrix (fewer repeats).
        scenario: the document that was predicted and measured, calibrated.
        regime: which margins apply.
        demands: ``drawn``: both worlds ran the very same demands; ``calibrated``: the simulator drew its own.
        predicted: what was stored before the measurement, and when (UTC).
        measured: the valid repeats; None where too few were valid.
        invalid: why repeats may not judge, a sentence each.
        triangle: which part of the miss of a figure comes from the arrivals, the demands, the model; empty if unknown.
        warnings: where the prediction leaves the calibrated range.
    """

    load: str
    quick: bool
    scenario: Mapping[str, Any]
    regime: Regime
    demands: str
    predicted_at: str
    predicted: Observation
    measured_at: str
    measured: Observation | None
    invalid: tuple[str, ...]
    rows: tuple[Row, ...]
    verdict: Verdict
    triangle: Mapping[str, Mapping[str, float]]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        predicted = self.predicted.to_dict()
        return {
            "load": self.load,
            "quick": self.quick,
            "scenario": dict(self.scenario),
            "regime": str(self.regime),
            "demands": self.demands,
            "predicted_at": self.predicted_at,
            "predicted": predicted,
            "predicted_sha256": canonical_sha256(predicted),
            "measured_at": self.measured_at,
            "measured": self.measured.to_dict() if self.measured else None,
            "invalid": list(self.invalid),
            "rows": [_row_document(row) for row in self.rows],
            "verdict": str(self.verdict),
            "triangle": {figure: dict(parts) for figure, parts in self.triangle.items()},
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_dict` gave.

        Raises:
            RunStorageError: the stored prediction is not the one whose hash was stored with it.
        """
        if canonical_sha256(document["predicted"]) != document["predicted_sha256"]:
            raise RunStorageError(
                f"the prediction of load {document['load']!r} is not the one that was stored before the measurement "
                "(its hash differs): the record was edited; measure again"
            )
        return cls(
            load=document["load"],
            quick=document["quick"],
            scenario=document["scenario"],
            regime=Regime(document["regime"]),
            demands=document["demands"],
            predicted_at=document["predicted_at"],
            predicted=Observation.from_dict(document["predicted"]),
            measured_at=document["measured_at"],
            measured=Observation.from_dict(document["measured"]) if document["measured"] else None,
            invalid=tuple(document["invalid"]),
            rows=tuple(_row(each) for each in document["rows"]),
            verdict=Verdict(document["verdict"]),
            triangle=document["triangle"],
            warnings=tuple(document["warnings"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRecord:
    """One case: its calibration and its loads.

    Attributes:
        case: its name.
        row: of the matrix, from 1; None of a system's twin.
        calibration: the frozen document that the predictions used.
        environment: host, versions and commit of the measurement.
        measured_on: the day (UTC, ISO).
    """

    case: str
    row: int | None
    model: str
    counterpart: str
    calibration: Mapping[str, Any]
    environment: Mapping[str, Any]
    measured_on: str
    loads: tuple[LoadRecord, ...]

    @property
    def verdict(self) -> Verdict:
        """Miss if a load missed, else inconclusive if one was, else pass."""
        return gravest(load.verdict for load in self.loads)

    def save(self, path: Path) -> None:
        """Write the record to a file, whole or not at all."""
        document = {
            "schema_version": SCHEMA_VERSION,
            "case": self.case,
            "row": self.row,
            "model": self.model,
            "counterpart": self.counterpart,
            "calibration": dict(self.calibration),
            "environment": dict(self.environment),
            "measured_on": self.measured_on,
            "loads": [load.to_dict() for load in self.loads],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part")
        draft.write_text(json.dumps(document, allow_nan=False, separators=(",", ":")) + "\n")
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return a saved record.

        Raises:
            RunStorageError: the file is no record, or was edited.
        """
        try:
            document = json.loads(path.read_text())
            if document["schema_version"] != SCHEMA_VERSION:
                raise RunStorageError(
                    f"{path}: has schema version {document['schema_version']}; measure the case again"
                )
            return cls(
                case=document["case"],
                row=document["row"],
                model=document["model"],
                counterpart=document["counterpart"],
                calibration=document["calibration"],
                environment=document["environment"],
                measured_on=document["measured_on"],
                loads=tuple(LoadRecord.from_dict(each) for each in document["loads"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunStorageError(f"{path}: is no record of a case ({error!r}); measure the case again") from error
        except RunStorageError as error:
            raise RunStorageError(f"{path}: {error}") from error


def read_records(folder: Path, names: Sequence[str] = ()) -> list[CaseRecord]:
    """Return the records in a folder by row and name; all of them if none is named.

    Raises:
        RunStorageError: there is none, or one that was named is missing.
    """
    files = {path.stem: path for path in sorted(folder.glob("*.json"))}
    missing = [name for name in names if name not in files]
    if missing or not files:
        what = f"no record of {', '.join(missing)}" if missing else "no record"
        raise RunStorageError(f"{folder}: holds {what}; measure it by lab validate --full")
    records = [CaseRecord.load(files[name]) for name in (names or files)]
    return sorted(records, key=lambda each: in_order(each.row, each.case))


def append(ledger: Path, record: CaseRecord, load: LoadRecord) -> None:
    """Add one verdict to the ledger."""
    ledger.parent.mkdir(parents=True, exist_ok=True)
    line = {
        "measured_at": load.measured_at,
        "case": record.case,
        "row": record.row,
        "load": load.load,
        "repeats": load.measured.repeats if load.measured else 0,
        "verdict": str(load.verdict),
        "misses": {
            f"{row.metric}@{row.subject}": _number(row.error) for row in load.rows if row.verdict is Verdict.MISS
        },
        "invalid": list(load.invalid),
        "calibration_sha256": record.calibration.get("sha256"),
        "predicted_sha256": canonical_sha256(load.predicted.to_dict()),
        "commit": record.environment.get("commit"),
        "host": record.environment.get("host"),
    }
    with ledger.open("a") as file:
        file.write(json.dumps(line, allow_nan=False, separators=(",", ":")) + "\n")


def _row_document(row: Row) -> dict[str, Any]:
    document = {name: _number(value) for name, value in asdict(row).items()}
    return {**document, "verdict": str(row.verdict), "margin": asdict(row.margin) if row.margin else None}


def _number(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return None if math.isnan(value) else float(f"{value:.6g}")


def _row(document: Mapping[str, Any]) -> Row:
    numbers = ("predicted", "measured", "error", "noise", "low", "high")
    values = {name: math.nan if document[name] is None else document[name] for name in numbers}
    bound = document["margin"]
    return Row(
        **{**document, **values, "margin": Margin(**bound) if bound else None, "verdict": Verdict(document["verdict"])}
    )
