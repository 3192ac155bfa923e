"""However a run ends, it says why and leaves nothing behind: no process, no folder, no shared memory."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from reference_backend.load.schedule import Planned, Schedule, write_schedule

pytestmark = pytest.mark.measured
ROOT = Path(__file__).resolve().parents[2]

DEPLOYMENT = {
    "schema_version": 1,
    "name": "lifecycle",
    "entry": "edge",
    "client": {"timeout_s": 1.0, "attempts": 1},
    "parts": {
        "edge": {"kind": "load_balancer", "algorithm": "roundrobin", "targets": "api"},
        "api": {
            "kind": "service",
            "replicas": 2,
            "endpoints": {
                "read_item": {
                    "demands": 1,
                    "steps": [
                        {
                            "kind": "cached",
                            "cache": "items",
                            "miss": [{"kind": "query", "database": "main", "query": "item_by_id", "demand": 0}],
                        }
                    ],
                }
            },
        },
        "items": {"kind": "cache"},
        "main": {
            "kind": "database",
            "pool": {"size": 2},
            "rows": 100,
            "queries": {"item_by_id": {"statement": "select"}},
        },
    },
}


class Supervisor:
    """A started supervisor, its events, and the mark that everything it starts inherits."""

    def __init__(self, folder: Path, mark: str, process: subprocess.Popen[str]) -> None:
        self.folder = folder
        self.mark = mark
        self.process = process
        self.events: list[dict] = []

    def until(self, event: str) -> dict:
        """Read events until one of a kind; fail if the output ends before."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == event:
                return self.events[-1]
        raise AssertionError(f"no {event!r} among {self.events}")

    @property
    def workdir(self) -> Path:
        """Return the temporary folder that was announced."""
        return Path(next(event["path"] for event in self.events if event["event"] == "workdir"))

    def ended(self, within_s: float = 10.0) -> int:
        """Wait for the end; return the exit code."""
        return self.process.wait(within_s)


def marked(mark: str) -> list[psutil.Process]:
    """Return the living processes that carry a mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("ARCHLAB_RUN_ID") == mark:
                found.append(process)
        except psutil.Error:
            continue  # it ended while we looked, or is none of ours
    return found


def shared_memory_ids() -> set[str]:
    """Return the ids of the machine's System V shared memory segments that no process is attached to any more."""
    rows = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()]
    return {row[rows[0].index("shmid")] for row in rows[1:] if row[rows[0].index("nattch")] == "0"}


def assert_nothing_runs(mark: str, segments_before: set[str], within_s: float = 5.0) -> None:
    """Fail if a process or a shared memory segment of the run is still there after a while."""
    deadline = time.monotonic() + within_s
    while (marked(mark) or shared_memory_ids() - segments_before) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [process.cmdline() for process in marked(mark)] == []
    assert shared_memory_ids() - segments_before == set()


def files(folder: Path, duration_s: float) -> list[str]:
    """Write the deployment and ten requests a second; return the arguments that name them."""
    (folder / "deployment.json").write_text(json.dumps(DEPLOYMENT))
    requests = tuple(
        Planned(
            request=n,
            endpoint="read_item",
            key=n % 10,
            intended_start_s=0.1 * n,
            demands_s=(0.002,),
            backoffs_s=(),
        )
        for n in range(int(10 * duration_s))
    )
    write_schedule(folder / "schedule.parquet", Schedule(duration_s=duration_s, requests=requests))
    return ["--deployment", str(folder / "deployment.json"), "--schedule", str(folder / "schedule.parquet")]


@contextmanager
def started(folder: Path, *extra: str, duration_s: float = 20.0, **environment: str) -> Iterator[Supervisor]:
    """Start a supervisor that holds on to our lifeline; check at the end that nothing is left."""
    mark, segments = uuid.uuid4().hex, shared_memory_ids()
    command = [
        sys.executable,
        "-m",
        "reference_backend",
        "run",
        *files(folder, duration_s),
        "--lifeline",
        "--no-pin",
        *extra,
    ]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "ARCHLAB_RUN_ID": mark, **environment},
    )
    supervisor = Supervisor(folder, mark, process)
    try:
        yield supervisor
        assert_nothing_runs(mark, segments)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def test_parent_reads_the_output_then_lets_go(tmp_path: Path) -> None:
    """After the run every server is gone but the output stays until the lifeline is closed; then the exit code is 0."""
    with started(tmp_path, duration_s=1.0) as supervisor:
        output = Path(supervisor.until("finished")["output"])
        assert (output / "manifest.json").exists()
        assert (output / "repeat-0" / "spans.parquet").exists()
        assert [process.pid for process in marked(supervisor.mark)] == [supervisor.process.pid]
        assert supervisor.process.stdin is not None
        supervisor.process.stdin.close()
        assert supervisor.ended() == 0
        assert not supervisor.workdir.exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_takes_everything_down(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """A signal in the middle of the traffic ends all parts, removes the folder and is told."""
    with started(tmp_path) as supervisor:
        supervisor.until("progress")
        assert len(marked(supervisor.mark)) > 5
        supervisor.process.send_signal(number)
        assert number.name in supervisor.until("failed")["what"]
        assert supervisor.ended() == code
        assert not supervisor.workdir.exists()


def test_signal_while_parts_start(tmp_path: Path) -> None:
    """A signal before the backend is ready does the same."""
    with started(tmp_path) as supervisor:
        supervisor.until("starting")
        supervisor.process.send_signal(signal.SIGTERM)
        assert supervisor.ended() == 143
        assert not supervisor.workdir.exists()


def test_killed_supervisor_leaves_no_process(tmp_path: Path) -> None:
    """SIGKILL of the supervisor: the kernel ends every part, and PostgreSQL gives its shared memory back."""
    with started(tmp_path) as supervisor:
        supervisor.until("progress")
        supervisor.process.kill()
        supervisor.ended()
        assert_nothing_runs(supervisor.mark, shared_memory_ids())
        assert supervisor.workdir.exists(), "who removes this folder is the parent that was told of it"
        subprocess.run(["rm", "-rf", str(supervisor.workdir)], check=True)


def test_killed_parent_takes_everything_down(tmp_path: Path) -> None:
    """SIGKILL of the parent: the lifeline is cut, and the supervisor leaves neither process nor folder."""
    mark, segments = uuid.uuid4().hex, shared_memory_ids()
    parent_code = textwrap.dedent("""
        import subprocess, sys, time
        child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for line in child.stdout:
            print(line, end="", flush=True)
        time.sleep(60)
    """)
    command = [
        sys.executable,
        "-m",
        "reference_backend",
        "run",
        *files(tmp_path, 20.0),
        "--lifeline",
        "--no-pin",
    ]
    process = subprocess.Popen(
        [sys.executable, "-c", parent_code, *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "ARCHLAB_RUN_ID": mark},
    )
    supervisor = Supervisor(tmp_path, mark, process)
    try:
        supervisor.until("progress")
        process.kill()
        process.wait()
        assert_nothing_runs(mark, segments)
        assert not supervisor.workdir.exists()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("part", ["api/1", "main"])
def test_dead_part_fails_the_run(tmp_path: Path, part: str) -> None:
    """A replica or a server that dies is noticed within about a second, named, and ends the run with exit code 3."""
    with started(tmp_path) as supervisor:
        supervisor.until("progress")
        pid = next(event["pid"] for event in supervisor.events if event["event"] == "ready" and event["part"] == part)
        os.kill(pid, signal.SIGKILL)
        killed_s = time.monotonic()
        failed = supervisor.until("failed")
        assert time.monotonic() - killed_s < 1.5
        assert failed["where"] == part
        assert "SIGKILL" in failed["what"]
        assert supervisor.ended() == 3
        assert not supervisor.workdir.exists()


def test_failed_start_shows_the_parts_last_words(tmp_path: Path) -> None:
    """A server that ends at once is named, with the end of its log."""
    broken = tmp_path / "valkey-server"
    broken.write_text(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo 'v=9.9.9' && exit 0\necho 'no such luck' >&2\nexit 7\n"
    )
    broken.chmod(0o755)
    with started(tmp_path, ARCHLAB_VALKEY=str(broken)) as supervisor:
        failed = supervisor.until("failed")
        assert failed["where"] == "items"
        assert "exit code 7" in failed["what"]
        assert "no such luck" in failed["why"]
        assert supervisor.ended() == 3
        assert not supervisor.workdir.exists()


def test_missing_binary_is_bad_input(tmp_path: Path) -> None:
    """A binary that is named but not there: nothing is started, exit code 2."""
    with started(tmp_path, ARCHLAB_HAPROXY=str(tmp_path / "nowhere")) as supervisor:
        failed = supervisor.until("failed")
        assert "ARCHLAB_HAPROXY" in failed["what"]
        assert not any(event["event"] == "starting" for event in supervisor.events)
        assert supervisor.ended() == 2


def test_taken_entry_port_is_bad_input(tmp_path: Path) -> None:
    """Another program holds the entry's port: it is named, and the exit code is 2."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with started(tmp_path, "--entry-port", str(port)) as supervisor:
            failed = supervisor.until("failed")
            assert str(port) in failed["where"]
            assert supervisor.ended() == 2
            assert not supervisor.workdir.exists()


def test_schedule_that_does_not_fit_is_bad_input(tmp_path: Path) -> None:
    """A request with too few demands is named before anything is started."""
    arguments = files(tmp_path, 1.0)
    wrong = Planned(request=7, endpoint="read_item", key=1, intended_start_s=0.0, demands_s=(), backoffs_s=())
    write_schedule(tmp_path / "schedule.parquet", Schedule(duration_s=1.0, requests=(wrong,)))
    done = subprocess.run(
        [sys.executable, "-m", "reference_backend", "run", *arguments, "--out", str(tmp_path / "out")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "request 7" in json.loads(done.stdout.splitlines()[-1])["what"]


def test_results_are_never_mixed(tmp_path: Path) -> None:
    """A folder that holds the results of another run is refused."""
    arguments = files(tmp_path, 1.0)
    (tmp_path / "out" / "repeat-0").mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-m", "reference_backend", "run", *arguments, "--out", str(tmp_path / "out")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "already holds" in json.loads(done.stdout.splitlines()[-1])["what"]


def test_serve_answers_until_interrupted(tmp_path: Path) -> None:
    """``serve`` prints where the backend answers, answers there, and ends on Ctrl-C."""
    files(tmp_path, 1.0)
    mark, segments = uuid.uuid4().hex, shared_memory_ids()
    process = subprocess.Popen(
        [sys.executable, "-m", "reference_backend", "serve", "--deployment", str(tmp_path / "deployment.json")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "ARCHLAB_RUN_ID": mark},
    )
    supervisor = Supervisor(tmp_path, mark, process)
    try:
        url = supervisor.until("serving")["url"]
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(
                b"GET /read_item?key=5 HTTP/1.1\r\nHost: test\r\nX-Demands: 0.001\r\nConnection: close\r\n\r\n"
            )
            assert b"200 OK" in connection.recv(4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert_nothing_runs(mark, segments)
        assert not supervisor.workdir.exists()
    finally:
        process.kill()
        process.communicate()
