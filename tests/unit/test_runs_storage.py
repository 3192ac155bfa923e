"""Saved Runs: whole or not at all, equal bytes for equal content, and errors that name the file."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import resource
import signal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lab.errors import RunStorageError
from lab.runs import Run, storage
from tests.unit.runs_frames import busy_run, request, run_of, visit


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A saved Run's folder."""
    return busy_run(replications=2, count=50).save(tmp_path / "run")


def _bytes(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def test_a_run_comes_back_as_it_was(tmp_path: Path) -> None:
    """Tables, types, scenario, seed, provenance and what is unobserved survive the round trip."""
    run = run_of(
        [request(1, 3.0, 0.1), request(2, 4.0, None, endpoint="écrire")],
        [visit(1, "items", 3.0, 3.0, 3.1, hit=True), visit(2, "main", 4.0, None, None)],
        samples=[{"replication": 0, "time_s": 1.0, "component": "api", "replica": 1, "gauge": "busy", "value": 2.5}],
        events=[{"replication": 0, "time_s": 1.0, "component": "api", "kind": "crash", "detail": 'replica "0"'}],
        world="measured",
        provenance={"host": {"cores": 2}},
        unobserved=("service_time_s of edge: its log does not have it",),
    )
    again = Run.load(run.save(tmp_path / "deep" / "run"))
    for name, frame in run.to_pandas().items():
        pd.testing.assert_frame_equal(frame, again.to_pandas()[name])
    assert (again.world, again.seed, again.scenario) == ("measured", 1, run.scenario)
    assert (again.provenance, again.unobserved) == (run.provenance, run.unobserved)
    assert again.fingerprint() == run.fingerprint()


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    """Two Runs of equal content, built in another order of rows, and one that was loaded, save to equal bytes."""
    rows = [request(n, 2.0 + n, 0.1, endpoint=("read", "write")[n % 2]) for n in range(6)]
    one = run_of(rows).save(tmp_path / "one")
    other = run_of(rows[::-1]).save(tmp_path / "other")
    third = Run.load(one).save(tmp_path / "third")
    assert _bytes(one) == _bytes(other) == _bytes(third)
    assert sorted(_bytes(one)) == [
        "aggregates.parquet",
        "events.parquet",
        "requests.parquet",
        "run.json",
        "samples.parquet",
        "visits.parquet",
    ]


def test_files_are_plain_parquet_for_other_tools(saved: Path) -> None:
    """Another tool finds the declared columns in order, with missing times as nulls and text as text."""
    table = pq.read_table(saved / "visits.parquet")
    assert table.column_names[:5] == ["replication", "request", "attempt", "component", "replica"]
    assert table.schema.field("component").type == pa.string()
    assert table.schema.field("hit").type == pa.bool_()
    assert table.column("hit").null_count == 100


def test_an_existing_folder_is_not_touched(saved: Path) -> None:
    """Without overwrite a second save is refused and the first stays; with it the new one takes its place."""
    before = _bytes(saved)
    other = run_of([request(1, 3.0, 0.1)])
    with pytest.raises(RunStorageError, match="exists already"):
        other.save(saved)
    assert _bytes(saved) == before
    other.save(saved, overwrite=True)
    assert Run.load(saved).fingerprint() == other.fingerprint()
    assert [path.name for path in saved.parent.iterdir()] == ["run"]


def test_only_a_run_is_overwritten(tmp_path: Path) -> None:
    """A folder of something else is refused even with overwrite, and a file too."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"cat")
    (tmp_path / "file").write_text("text")
    for name in ("photos", "file"):
        with pytest.raises(RunStorageError, match="is not a Run folder"):
            run_of([request(1, 3.0, 0.1)]).save(tmp_path / name, overwrite=True)
    assert (tmp_path / "photos" / "cat.jpg").read_bytes() == b"cat"


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full the error says so in words, the partial folder goes, and the old Run stays."""
    run = run_of([request(1, 3.0, 0.1)])
    folder = run.save(tmp_path / "run")
    before = _bytes(folder)

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(RunStorageError, match=r"run: the Run could not be written \(No space left on device\)"):
        run.save(folder, overwrite=True)
    assert _bytes(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    """A true failure of a write half-way (here a limit on file sizes) is told in words, and nothing stays."""
    run = run_of([request(n, 2.0 + n / 1000, 0.1) for n in range(2000)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(RunStorageError, match="could not be written"):
            run.save(tmp_path / "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    """A folder below a plain file cannot be made: a clear error, no traceback of the system's."""
    (tmp_path / "file").write_text("text")
    with pytest.raises(RunStorageError, match="could not be written"):
        run_of([request(1, 3.0, 0.1)]).save(tmp_path / "file" / "run")


def test_a_failed_swap_puts_the_old_run_back(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the new folder cannot take the old one's place, the old one is there as before."""
    before, honest = _bytes(saved), os.rename

    def refuse(source: Path, target: Path) -> None:
        if ".partial-" in str(source):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        honest(source, target)

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(RunStorageError, match="Permission denied"):
        run_of([request(1, 3.0, 0.1)]).save(saved, overwrite=True)
    assert _bytes(saved) == before
    assert [path.name for path in saved.parent.iterdir()] == ["run"]


def _die_before(step: str, folder: Path) -> None:
    """In a child process: save, and be killed where the named step would begin."""

    def die(*args: object, **kwargs: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(storage, step, die)
    run_of([request(1, 3.0, 0.1)]).save(folder)


@pytest.mark.parametrize("step", ["_write_parquet", "_sync", "_put_in_place"])
def test_a_killed_save_leaves_no_run(tmp_path: Path, step: str) -> None:
    """After SIGKILL amid a save nothing loads from the place, and the next save clears the litter away."""
    folder = tmp_path / "run"
    child = multiprocessing.get_context("fork").Process(target=_die_before, args=(step, folder))
    child.start()
    child.join(30)
    assert child.exitcode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == [f".run.partial-{child.pid}"]
    with pytest.raises(RunStorageError, match="there is no such folder"):
        Run.load(folder)
    run_of([request(1, 3.0, 0.1)]).save(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    Run.load(folder)


def test_a_living_writer_keeps_its_partial(tmp_path: Path) -> None:
    """Another process that still writes the same Run is not disturbed."""
    theirs = tmp_path / f".run.partial-{os.getppid()}"
    theirs.mkdir()
    run_of([request(1, 3.0, 0.1)]).save(tmp_path / "run")
    assert theirs.is_dir()


def _edit_header(folder: Path, **changes: object) -> None:
    file = folder / "run.json"
    document = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({key: value for key, value in document.items() if value is not None}))


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    """A missing folder, one without run.json and one with broken JSON each have their own words."""
    with pytest.raises(RunStorageError, match="there is no such folder"):
        Run.load(tmp_path / "nowhere")
    with pytest.raises(RunStorageError, match=r"has no run\.json"):
        Run.load(tmp_path)
    (tmp_path / "run.json").write_text('{"schema_version": 1,')
    with pytest.raises(RunStorageError, match=r"run\.json: cannot be read"):
        Run.load(tmp_path)
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(RunStorageError, match="schema_version None"):
        Run.load(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 99}, "has schema_version 99, but this version of the lab reads 1 to 2"),
        ({"tables": None}, "has no list of tables"),
        ({"tables": {}}, "does not list the table requests"),
        ({"scenario": None}, "do not make a Run"),
        ({"scenario": {}}, "do not make a Run"),
        ({"world": "imagined"}, "do not make a Run"),
    ],
)
def test_a_wrong_header_is_refused(saved: Path, changes: dict, message: str) -> None:
    """Each thing that run.json must say is missed when it does not."""
    _edit_header(saved, **changes)
    with pytest.raises(RunStorageError, match=message):
        Run.load(saved)


@pytest.mark.parametrize("name", ["requests", "visits", "samples", "events", "aggregates"])
def test_a_missing_table_is_named(saved: Path, name: str) -> None:
    """A Run without one of its files is not whole."""
    (saved / f"{name}.parquet").unlink()
    with pytest.raises(RunStorageError, match=rf"{name}\.parquet: is missing"):
        Run.load(saved)


@pytest.mark.parametrize("keep", [0, 20, -20])
def test_a_truncated_table_is_named(saved: Path, keep: int) -> None:
    """A file that was cut short is told as damaged, with its name."""
    file = saved / "visits.parquet"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(RunStorageError, match=r"visits\.parquet: is damaged"):
        Run.load(saved)


def test_a_table_with_other_rows_is_named(saved: Path) -> None:
    """A table that lost rows, and one whose values changed, are each refused."""
    file = saved / "requests.parquet"
    whole = pq.read_table(file)
    pq.write_table(whole.slice(0, 10), file)
    with pytest.raises(RunStorageError, match=r"requests\.parquet: holds 10 rows, but run\.json says 100"):
        Run.load(saved)
    keys = pa.array([1] * len(whole), type=pa.int64())
    pq.write_table(whole.set_column(whole.column_names.index("key"), "key", keys), file)
    with pytest.raises(RunStorageError, match=r"requests\.parquet: was changed after it was saved"):
        Run.load(saved)
