"""The ledger: what is kept of a measurement, what is said of it, and that nobody edits a prediction afterwards."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import RunStorageError, UsageError
from lab.report.matrix import page_text, summary_text, write_pages
from lab.validation.case import read_cases
from lab.validation.judge import Verdict
from lab.validation.ledger import CaseRecord, LoadRecord, append, read_records
from lab.validation.margins import Regime
from lab.validation.observation import SHARES, Observation
from lab.validation.verdicts import rows_of, verdict_of, worst

_REPEATS = (0.0500, 0.0502, 0.0498, 0.0501, 0.0499)


def _observation(p95: tuple[float, ...] = _REPEATS, *, hits: tuple[float, ...] = (0.5, 0.7, 0.8)) -> Observation:
    return Observation(
        figures={"sojourn_time_s_p95@all": p95, "throughput_per_s@all": (20.0,) * len(p95)},
        units={"sojourn_time_s_p95@all": "s", "throughput_per_s@all": "1/s"},
        series={"hit_ratio_over_time": (hits,) * len(p95)},
        sojourn_times_s=((0.05,) * len(SHARES),) * len(p95),
        timeline={"goodput_per_s": ((20.0, math.nan),) * len(p95)},
    )


def _load(predicted: Observation, *, name: str = "0.7", measured: Observation | None = None) -> LoadRecord:
    seen = measured or _observation()
    rows = tuple(rows_of(predicted, seen, Regime.MODERATE))
    return LoadRecord(
        load=name,
        quick=False,
        scenario={"name": "x"},
        regime=Regime.MODERATE,
        demands="drawn",
        predicted_at="2026-11-22T07:00:00+00:00",
        predicted=predicted,
        measured_at="2026-11-22T07:01:00+00:00",
        measured=seen,
        invalid=(),
        rows=rows,
        verdict=verdict_of(rows),
        triangle={"sojourn_time_s_p95": {"arrivals": 0.001, "demands": 0.002, "model": 0.003}},
        warnings=(),
    )


def _record(*loads: LoadRecord, case: str = "service", row: int | None = 1) -> CaseRecord:
    return CaseRecord(
        case=case,
        row=row,
        model="slots and backlog",
        counterpart="uvicorn",
        calibration={"sha256": "abc"},
        environment={"host": {"cpu": "a processor", "cores": 2}, "commit": "1234"},
        measured_on="2026-11-22",
        loads=loads,
    )


def test_a_prediction_within_the_margins_passes() -> None:
    """Two percent off at p95, where eight are allowed."""
    rows = rows_of(_observation((0.051, 0.052)), _observation(), Regime.MODERATE)
    assert verdict_of(rows) is Verdict.PASS
    assert worst(rows).metric == "sojourn_time_s_p95"


def test_a_prediction_ten_percent_off_is_a_miss() -> None:
    """Where eight are allowed; and the row that missed is the one that is shown."""
    rows = rows_of(_observation((0.055, 0.056)), _observation(), Regime.MODERATE)
    assert verdict_of(rows) is Verdict.MISS
    assert (worst(rows).metric, worst(rows).verdict) == ("sojourn_time_s_p95", Verdict.MISS)


def test_a_figure_over_time_is_judged_place_by_place() -> None:
    """The hit ratio may differ by 0.02 in every stretch: 0.03 in one of three is a miss though the mean is within."""
    rows = rows_of(_observation(hits=(0.5, 0.73, 0.8)), _observation(), Regime.MODERATE)
    assert [row.verdict for row in rows if row.metric == "hit_ratio_over_time"] == [Verdict.MISS]
    rows = rows_of(_observation(hits=(0.5, 0.715, 0.8)), _observation(), Regime.MODERATE)
    assert [row.verdict for row in rows if row.metric == "hit_ratio_over_time"] == [Verdict.PASS]


def test_a_record_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    """All of it, gaps in the data too."""
    record = _record(_load(_observation()))
    record.save(tmp_path / "service.json")
    (loaded,) = read_records(tmp_path)
    assert loaded.loads[0].to_dict() == record.loads[0].to_dict()
    assert math.isnan(loaded.loads[0].predicted.timeline["goodput_per_s"][0][1])


def test_an_edited_prediction_is_refused(tmp_path: Path) -> None:
    """A miss is explained, not removed."""
    path = tmp_path / "service.json"
    _record(_load(_observation((0.06,) * 5))).save(path)
    document = json.loads(path.read_text())
    document["loads"][0]["predicted"]["figures"]["sojourn_time_s_p95@all"][0] = 0.05
    path.write_text(json.dumps(document))
    with pytest.raises(RunStorageError, match="the record was edited"):
        read_records(tmp_path)


def test_the_ledger_only_grows(tmp_path: Path) -> None:
    """A line a verdict, the misses with their errors."""
    load = _load(_observation((0.06,) * 5))
    for _ in range(2):
        append(tmp_path / "ledger.jsonl", _record(load), load)
    lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert len(lines) == 2
    assert lines[0]["verdict"] == "miss"
    assert lines[0]["misses"] == {"sojourn_time_s_p95@all": pytest.approx(0.2)}


def test_the_pages_show_misses_first(tmp_path: Path) -> None:
    """In the summary and in the table of loads, with the error beside margin and noise; a picture a case."""
    good, bad = _load(_observation()), _load(_observation((0.06,) * 5), name="0.9")
    records = [_record(good), _record(good, bad, case="cache", row=5)]
    summary = summary_text(records)
    assert summary.index("| 5 |") < summary.index("| 1 |")
    assert "+20.0 % (8.0 %, 0.3 %)" in summary
    assert "1 of 16 rows pass" in summary
    page = page_text(records)
    assert page.index("0.9 |") < page.index("0.7 |")
    write_pages(records, tmp_path / "validation.md")
    assert (tmp_path / "validation" / "cache.png").stat().st_size > 1000


def test_a_twin_of_a_system_stands_beside_the_matrix(tmp_path: Path) -> None:
    """In a table of its own, last, and it makes no row pass or miss."""
    good, bad = _load(_observation()), _load(_observation((0.06,) * 5))
    _record(bad, case="uber", row=None).save(tmp_path / "uber.json")
    _record(good).save(tmp_path / "service.json")
    records = read_records(tmp_path)
    assert [each.case for each in records] == ["service", "uber"]
    rows, twins = summary_text(records).split("1 of 16 rows pass")
    assert "uber" not in rows
    assert "| `uber` |" in twins
    assert "0 of 1 twins pass" in twins
    assert "Twin: " in page_text(records)


def test_an_inconclusive_load_makes_no_row_pass() -> None:
    """What could not be measured is neither."""
    load = replace(_load(_observation()), measured=None, rows=(), verdict=Verdict.INCONCLUSIVE, invalid=("late",))
    assert _record(load).verdict is Verdict.INCONCLUSIVE
    assert "0 of 16 rows pass" in summary_text([_record(load)])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("row: 17\n", "row: Input should be less than or equal to 16"),
        (
            "calibration: [{with: {}, parameters: [client.round_trip]}, {with: {}, parameters: [client.round_trip]}]\n",
            "client.round_trip: fitted by several runs",
        ),
        ("- a list\n", "must be a mapping"),
        ("row: [\n", "cannot be read as YAML"),
    ],
    ids=["no such row", "fitted twice", "a list", "not YAML"],
)
def test_a_bad_case_is_refused_by_its_file(text: str, says: str, tmp_path: Path) -> None:
    """With the file and what is wrong."""
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(UsageError, match=says) as caught:
        read_cases(tmp_path)
    assert "broken.yaml" in str(caught.value)


def test_an_unknown_case_is_told(tmp_path: Path) -> None:
    """With the ones that there are."""
    with pytest.raises(UsageError, match="holds no case"):
        read_cases(tmp_path)
