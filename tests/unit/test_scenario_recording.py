"""Recorded schedules: read from CSV and Parquet, in order, and every bad row told."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import lab
from lab.errors import ScenarioError
from lab.measurement.render import deployment, schedule_table
from lab.scenario.arithmetic import arithmetic
from lab.scenario.mix import key_count, popularity, request_mix
from lab.scenario.schedule import draw_schedule
from tests.unit.backends import live

_YAML = """
name: replayed
workload: {kind: replay, file: recorded.csv}
entry: api
components:
  api: {kind: service, endpoints: {get: [{kind: wait, time: 1s}], put: [{kind: query, database: main, query: put}]}}
  main: {kind: database, pool: {size: 1}, round_trip: 0s, queries: {put: 10ms}}
objectives: [{metric: error_ratio, endpoint: get, at_most: 1%}]
run: {duration: 10s, replications: 2}
"""
_CSV = "endpoint,intended_start_s,key,note\nput,3.5,4,a\nget,1,2,b\nget,3.5,2,c\nget,10,9,beyond the end\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the scenario and its recording."""
    (tmp_path / "it.yaml").write_text(_YAML, encoding="utf-8")
    (tmp_path / "recorded.csv").write_text(_CSV, encoding="utf-8")
    return tmp_path


def test_rows_are_sent_in_the_order_of_time(folder: Path) -> None:
    """Sorted by intended start, equal ones as in the file, cut at the end of the run; other columns are ignored."""
    schedule = draw_schedule(lab.read_scenario(folder / "it.yaml"), seed=1, replication=0)
    assert schedule.intended_start_s.tolist() == [1.0, 3.5, 3.5]
    assert schedule.endpoint == ("get", "put", "get")
    assert schedule.key.tolist() == [2, 4, 2]


def test_parquet_is_the_same_as_csv(folder: Path) -> None:
    """Type by type and row by row; without a key column every key is 0."""
    described = lab.read_scenario(folder / "it.yaml")
    columns = {"intended_start_s": [3.5, 1.0, 3.5], "endpoint": ["put", "get", "get"]}
    pq.write_table(pa.table({**columns, "key": pa.array([4, 2, 2], pa.int32())}), folder / "recorded.parquet")
    pq.write_table(pa.table(columns), folder / "keyless.parquet")
    csv, parquet, keyless = (
        live(described.with_({"workload.file": str(folder / name)}))[0]
        for name in ("recorded.csv", "recorded.parquet", "keyless.parquet")
    )
    assert csv.equals(parquet)
    assert keyless["key"].tolist() == [0, 0, 0]


def test_each_replication_sends_the_same_and_the_run_names_the_file(folder: Path) -> None:
    """Equal schedules, and the hash of the very bytes in the provenance."""
    run = lab.simulate(lab.read_scenario(folder / "it.yaml"), progress=False)
    assert run.only(0).schedule_fingerprint() == run.only(1).schedule_fingerprint()
    assert len(run.provenance["recording_sha256"]) == 64
    (folder / "recorded.csv").write_text(_CSV + "get,4,1,d\n", encoding="utf-8")
    again = lab.simulate(lab.read_scenario(folder / "it.yaml"), progress=False)
    assert again.provenance["recording_sha256"] != run.provenance["recording_sha256"]
    assert len(again.requests) == len(run.requests) + 2


def test_the_arithmetic_reads_it(folder: Path) -> None:
    """Three requests in 10 s, two of them in one second; a third of them put; keys 2 and 4 of five."""
    described = lab.read_scenario(folder / "it.yaml")
    sums = arithmetic(described)
    assert sums.rates_per_s == pytest.approx({"base": 0.0, "mean": 0.3, "peak": 2.0})
    assert request_mix(described) == pytest.approx({"get": 2 / 3, "put": 1 / 3})
    assert sums.row("main", "connections").utilisation == pytest.approx(2 / 3 * 0.01)
    assert (key_count(described), popularity(described).tolist()) == (5, pytest.approx([2 / 3, 1 / 3]))
    assert "replay" in lab.mermaid(described)


def test_it_can_be_measured(folder: Path) -> None:
    """The generator only reads a schedule, so a recorded one serves as well: with demands for each request."""
    described = lab.read_scenario(folder / "it.yaml")
    table = schedule_table(described, draw_schedule(described, seed=1, replication=0), seed=1, replication=0)
    assert table["demands"].to_pylist() == [[1.0], [0.01], [1.0]]
    assert deployment(described)["parts"]["main"]["rows"] == 1000


def test_the_path_is_seen_from_the_scenario_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read from elsewhere, written elsewhere, read again: always the same file."""
    described = lab.read_scenario(folder / "it.yaml")
    (folder / "deeper").mkdir()
    lab.write_scenario(described, folder / "deeper" / "copy.yaml")
    monkeypatch.chdir(folder / "deeper")
    copy = lab.read_scenario("copy.yaml")
    assert "file: ../recorded.csv" in Path("copy.yaml").read_text()
    assert len(draw_schedule(copy, seed=1, replication=0)) == 3


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.csv", None, r"missing.csv cannot be read \(No such file or directory\)"),
        ("recorded.txt", "x", r"ends in '.txt'; give a .csv or .parquet file"),
        ("recorded.csv", "endpoint,key\nget,1\n", "lacks intended_start_s; it needs the columns"),
        ("recorded.csv", "endpoint,endpoint,intended_start_s\n", "has a column twice"),
        ("recorded.csv", "endpoint,intended_start_s\n", "there is no row in it"),
        ("recorded.csv", "endpoint,intended_start_s\nget\n", "row 1 has 1 cells, but there are 2 columns"),
        ("recorded.csv", "endpoint,intended_start_s\nget,soon\n", "row 1: intended_start_s is 'soon'; it must be"),
        ("recorded.csv", "endpoint,intended_start_s\nget,1\nget,-1\n", "row 2: intended_start_s is '-1'"),
        ("recorded.csv", "endpoint,intended_start_s\nget,inf\n", "row 1: intended_start_s is 'inf'"),
        ("recorded.csv", "endpoint,intended_start_s\nget,nan\n", "row 1: intended_start_s is 'nan'"),
        ("recorded.csv", "endpoint,intended_start_s\nfetch,1\n", "row 1: the entry has no endpoint 'fetch'"),
        ("recorded.csv", "endpoint,intended_start_s,key\nget,1,1.5\n", "row 1: key is '1.5'; it must be a whole"),
        ("recorded.csv", "endpoint,intended_start_s,key\nget,1,\n", "row 1: key is ''"),
        ("recorded.csv", "endpoint,intended_start_s,key\nget,1,10000000\n", "from 0, below 10,000,000"),
        ("recorded.csv", b"\xff\xfe\n", "is not CSV in UTF-8"),
        ("recorded.csv", 'endpoint,intended_start_s\n"get,1\n', "is not CSV in UTF-8"),
        ("recorded.parquet", b"PAR0", "is not Parquet"),
    ],
)
def test_what_cannot_be_sent_is_told(folder: Path, name: str, content: str | bytes | None, says: str) -> None:
    """The file, the row and what is wrong with it; nothing is left out in silence."""
    if content is not None:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    described = lab.read_scenario(folder / "it.yaml").with_({"workload.file": str(folder / name)})
    with pytest.raises(ScenarioError, match=says):
        lab.simulate(described, progress=False)


def test_parquet_rows_are_checked_too(folder: Path) -> None:
    """Missing values and numbers that are none."""
    table = pa.table({"intended_start_s": [None, 1.0], "endpoint": ["get", "get"], "key": [0.5, 1.0]})
    pq.write_table(table, folder / "recorded.parquet")
    described = lab.read_scenario(folder / "it.yaml").with_({"workload.file": str(folder / "recorded.parquet")})
    with pytest.raises(ScenarioError) as caught:
        lab.simulate(described, progress=False)
    assert [problem.split(": ")[2] for problem in caught.value.problems] == ["row 1", "row 1", "row 2"]


def test_many_bad_rows_are_counted(folder: Path) -> None:
    """Twenty are shown, all are kept."""
    (folder / "recorded.csv").write_text("endpoint,intended_start_s\n" + "fetch,1\n" * 50, encoding="utf-8")
    with pytest.raises(ScenarioError, match="and 30 more") as caught:
        lab.simulate(lab.read_scenario(folder / "it.yaml"), progress=False)
    assert len(caught.value.problems) == 50
