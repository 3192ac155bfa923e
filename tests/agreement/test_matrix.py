"""The simulator of today against the matrix: every recorded case, without a server; and it can fail."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

import lab
from lab.validation.case import ROWS, read_cases
from lab.validation.judge import Verdict
from lab.validation.ledger import CaseRecord, read_records
from lab.validation.recorded import judge_again
from tools.recorded import ROOT

RECORDS = ROOT / "measurements" / "matrix"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def records() -> list[CaseRecord]:
    """All that was recorded."""
    return read_records(RECORDS)


@pytest.fixture(scope="module")
def again(records: list[CaseRecord]) -> list[CaseRecord]:
    """The same with today's predictions."""
    return list(judge_again(records))


def test_every_row_of_the_matrix_is_there_in_full(records: list[CaseRecord]) -> None:
    """Sixteen rows; each case as its file says, each load with five valid repeats unless it is inconclusive."""
    assert {record.row for record in records} - {None} == set(range(1, ROWS + 1))
    cases = {case.name: case for case in read_cases(ROOT / "scenarios" / "validation" / "cases")}
    assert {record.case for record in records} == set(cases)
    for record in records:
        assert [load.load for load in record.loads] == list(cases[record.case].loads), record.case
        for load in record.loads:
            assert load.measured is None or load.measured.repeats >= 5, (record.case, load.load)


def test_no_verdict_has_become_worse(records: list[CaseRecord], again: list[CaseRecord]) -> None:
    """Whatever was changed in the simulator: what passed, passes."""
    before = {(record.case, load.load): load.verdict for record in records for load in record.loads}
    after = {(record.case, load.load): load.verdict for record in again for load in record.loads}
    lost = [key for key, verdict in before.items() if verdict is Verdict.PASS and after[key] is not Verdict.PASS]
    assert lost == []


def test_at_least_fourteen_rows_pass(again: list[CaseRecord]) -> None:
    """What the matrix set out to show; what does not is in docs/misses.md."""
    missing = {record.row for record in again if record.verdict is not Verdict.PASS} - {None}
    assert ROWS - len(missing) >= 14, sorted(missing)


def test_every_miss_is_explained(records: list[CaseRecord]) -> None:
    """Each has a heading in docs/misses.md, and nothing that passes has one."""
    told = re.findall("^### (.+?): (.+)$", (ROOT / "docs" / "misses.md").read_text(), re.MULTILINE)
    missed = [(each.case, load.load) for each in records for load in each.loads if load.verdict is Verdict.MISS]
    assert sorted(told) == sorted(missed)


def test_the_service_ten_percent_slower_turns_red(records: list[CaseRecord]) -> None:
    """A detuned model is caught at every load of its row."""

    def slower(scenario: lab.Scenario) -> lab.Scenario:
        return scenario.with_({"components.api.endpoints.get_item.0.time.mean": "55ms"})

    (detuned,) = judge_again([record for record in records if record.case == "service"], change=slower)
    assert [load.verdict for load in detuned.loads] == [Verdict.MISS] * len(detuned.loads)


def test_the_command_says_the_same(again: list[CaseRecord]) -> None:
    """`lab validate --recorded` of two cases: a row a load, and the exit code of the worst verdict."""
    names = ("rate_limiter", "service")
    done = subprocess.run(
        [sys.executable, "-m", "lab", "validate", "--recorded", "--json", *names],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    said = {(each["case"], each["load"]): each["verdict"] for each in json.loads(done.stdout)}
    expected = {
        (record.case, load.load): str(load.verdict) for record in again if record.case in names for load in record.loads
    }
    assert said == expected
    assert done.returncode == (1 if "miss" in said.values() else 3 if "inconclusive" in said.values() else 0)
