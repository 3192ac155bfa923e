"""The matrix: predictions come first, invalid repeats are measured anew, what was interrupted goes on."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import lab
from lab.errors import MeasurementFailed
from lab.runs.tables import TABLES, Tables
from lab.validation import calibrating, matrix
from lab.validation.case import read_cases
from lab.validation.judge import Verdict
from lab.validation.ledger import read_records
from lab.validation.matrix import Session, run_matrix
from lab.validation.recorded import judge_again

SCENARIO = """
name: small
workload: {kind: open, arrival_rate: 20/s, endpoints: {get: 100%}}
client: {round_trip: 1ms}
entry: api
components:
  api: {kind: service, concurrency: 4, endpoints: {get: [{kind: wait, time: {kind: exponential, mean: 20ms}}]}}
run: {duration: 4s, replications: 2, seed: 5}
"""
CASE = """
row: 1
model: slots
counterpart: uvicorn
scenario: small.yaml
calibration: {with: {workload.arrival_rate: 10/s}, parameters: [client.round_trip]}
loads:
  busy: {with: {workload.arrival_rate: 60/s}, quick: true}
  idle: {with: {workload.arrival_rate: 5/s}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one scenario and its case."""
    (tmp_path / "cases").mkdir()
    (tmp_path / "small.yaml").write_text(SCENARIO)
    (tmp_path / "cases" / "small.yaml").write_text(CASE)
    return tmp_path


class Backend:
    """Stands for `measure`: a simulation under a measurement's name, whose every repeat is as valid as it is told."""

    def __init__(self, *, invalid: tuple[int, ...] = (), dies: tuple[int, ...] = ()) -> None:
        self.asked: list[tuple[str, int]] = []
        self.scenarios: list[lab.Scenario] = []
        self._invalid, self._dies = invalid, dies

    def __call__(self, scenario: lab.Scenario, *, repeats: int = 1, **_: Any) -> lab.Run:
        """Return as many repeats as are wanted; the calls are counted from 0."""
        number = len(self.asked)
        self.scenarios.append(scenario)
        self.asked.append((str(scenario.to_document()["workload"]["arrival_rate"]["rate"]), repeats))
        if number in self._dies:
            raise MeasurementFailed("api/0: the process was ended by SIGKILL")
        run = lab.simulate(scenario, replications=1, progress=False)
        tables = {
            table.name: table.stack(
                [run.to_pandas()[table.name].assign(replication=repeat) for repeat in range(repeats)]
            )
            for table in TABLES
        }
        late = ["the generator was late"] if number in self._invalid else []
        validity = {"valid": not late, "problems": late, "by_repeat": [late] + [[]] * (repeats - 1), "generator": []}
        provenance = {
            **run.provenance,
            "validity": validity,
            "backend": {"host": {"cpu": "none", "cores": 2}, "servers": {}, "packages": {}},
        }
        return replace(run, world="measured", tables=Tables(**tables), provenance=provenance)


def _session(folder: Path, **settings: Any) -> Session:
    return Session(
        folder=folder / "session", records=folder / "records", ledger=folder / "ledger.jsonl", quick=True, **settings
    )


def _run(folder: Path, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Verdict:
    for module in (calibrating, matrix):
        monkeypatch.setattr(module, "measure", backend)
    (record,) = run_matrix(read_cases(folder / "cases"), _session(folder), progress=False)
    return record.verdict


def test_a_case_is_calibrated_predicted_measured_and_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once at the calibration's rate, then the quick load; and what is stored was predicted before."""
    backend = Backend()
    assert _run(folder, backend, monkeypatch) is Verdict.PASS
    assert [repeats for _, repeats in backend.asked] == [1, 2]
    (record,) = read_records(folder / "records")
    assert [load.load for load in record.loads] == ["busy"]
    assert record.loads[0].demands == "drawn"
    assert record.loads[0].predicted_at <= record.loads[0].measured_at
    assert sum(record.loads[0].triangle["sojourn_time_s_p95"].values()) == pytest.approx(0.0, abs=0.2)
    assert json.loads((folder / "ledger.jsonl").read_text())["verdict"] == "pass"


def test_a_case_may_be_calibrated_by_several_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, each at a load of its own: the second is sent what the first has found."""
    fits = "components.api.endpoints.get.0.time"
    plans = f"""calibration:
  - {{with: {{workload.arrival_rate: 10/s}}, parameters: [client.round_trip]}}
  - {{with: {{workload.arrival_rate: 8/s, run.duration: 8s}}, parameters: [{fits}], repeats: 2}}
"""
    (folder / "cases" / "small.yaml").write_text(re.sub("calibration: .*\n", plans, CASE))
    backend = Backend()
    assert _run(folder, backend, monkeypatch) is Verdict.PASS
    assert [repeats for _, repeats in backend.asked] == [1, 2, 2]
    assert [rate for rate, _ in backend.asked] == ["10/s", "8/s", "60/s"]
    (record,) = read_records(folder / "records")
    calibration = lab.Calibration.model_validate(record.calibration)
    assert set(calibration.parameters) == {"client.round_trip", "components.api.endpoints.get.0.time"}
    assert calibration.range.arrival_rate_per_s == 10
    assert backend.scenarios[1].client.round_trip == calibration.parameters["client.round_trip"].value


@pytest.mark.slow
def test_a_finished_case_is_not_measured_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless its scenario has changed."""
    _run(folder, Backend(), monkeypatch)
    again = Backend()
    _run(folder, again, monkeypatch)
    assert again.asked == []
    (folder / "small.yaml").write_text(SCENARIO.replace("seed: 5", "seed: 6"))
    _run(folder, again, monkeypatch)
    assert len(again.asked) == 2


@pytest.mark.slow
def test_repeats_that_may_not_judge_are_measured_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as are missing and one to spare, and why is kept."""
    backend = Backend(invalid=(1,))
    assert _run(folder, backend, monkeypatch) is Verdict.PASS
    assert [repeats for _, repeats in backend.asked] == [1, 2, 2]
    (record,) = read_records(folder / "records")
    assert record.loads[0].invalid == ("round 1, repeat 0: the generator was late",)


def test_a_backend_that_keeps_dying_makes_the_load_inconclusive(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither pass nor miss, and never for ever."""
    backend = Backend(dies=(1, 2, 3))
    assert _run(folder, backend, monkeypatch) is Verdict.INCONCLUSIVE
    (record,) = read_records(folder / "records")
    assert "SIGKILL" in record.loads[0].invalid[0]
    assert len(backend.asked) == 4


def test_a_calibration_that_may_not_be_used_ends_the_matrix(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is predicted from it."""
    with pytest.raises(MeasurementFailed, match="its calibration may not be used"):
        _run(folder, Backend(invalid=(0, 1, 2)), monkeypatch)


@pytest.mark.slow
def test_todays_simulator_is_judged_by_what_was_recorded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same verdict again; and a model whose service is ten percent slower turns red."""
    _run(folder, Backend(), monkeypatch)
    records = read_records(folder / "records")
    (again,) = judge_again(records)
    assert again.verdict is Verdict.PASS

    def slower(scenario: lab.Scenario) -> lab.Scenario:
        return scenario.with_({"components.api.endpoints.get.0.time.mean": "22ms"})

    (detuned,) = judge_again(records, change=slower)
    assert detuned.verdict is Verdict.MISS
