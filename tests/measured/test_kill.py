"""`lab measure` ended from outside at any moment leaves no process, no temporary folder and no half Run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

import lab
from lab.randomness import Stream

SCENARIO = """
name: to_be_killed
workload: {kind: open, arrival_rate: 20/s, endpoints: {get: 100%}}
entry: edge
components:
  edge: {kind: load_balancer, targets: api}
  api:
    kind: service
    replicas: 2
    endpoints:
      get:
        - {kind: cached, cache: items, miss: [{kind: query, database: main, query: get}]}
  items: {kind: cache}
  main: {kind: database, pool: {size: 2}, queries: {get: 5ms}}
run: {duration: 4s, replications: 1}
"""
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]
KILLS = 24
AT_ONCE = 4
LATEST_S = 16.0  # a measurement of this scenario takes about that long when four of them share two cores
PATIENCE_S = 40.0


def _ours(marker: str) -> list[psutil.Process]:
    """Every process that inherited this measurement's marker."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("ARCHLAB_RUN_ID") == marker:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it went away while we looked, or is not ours
    return found


def _start(place: Path, temporary: Path, marker: str, *, stderr: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start `lab measure` with a marker that everything it starts inherits, and a temporary folder of its own."""
    temporary.mkdir(parents=True)
    temporary.chmod(0o777)  # the database runs under another account
    (place / "scenario.yaml").write_text(SCENARIO)
    environment = os.environ | {"ARCHLAB_RUN_ID": marker, "TMPDIR": str(temporary), "TQDM_DISABLE": "1"}
    command = [sys.executable, "-m", "lab", "measure", str(place / "scenario.yaml"), "--out", str(place / "run")]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=stderr)


def _kill_once(number: int, folder: Path) -> str:
    """Start a measurement, end it by a signal after an addressed time, and return what it left behind."""
    place = folder / str(number)
    temporary = place / "tmp"
    marker = f"kill-test-{os.getpid()}-{number}"
    process = _start(place, temporary, marker)
    wait_s = LATEST_S * Stream(seed=7, replication=0, name="kill").uniform(number)
    chosen = SIGNALS[number % len(SIGNALS)]
    try:
        process.wait(wait_s)
    except subprocess.TimeoutExpired:
        process.send_signal(chosen)
        process.wait(PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    while (left := _ours(marker)) or list(temporary.iterdir()):
        if time.monotonic() > deadline:
            return f"{chosen.name} after {wait_s:.1f} s left {left} and {list(temporary.iterdir())}"
        time.sleep(0.1)
    if (place / "run").exists():
        lab.Run.load(place / "run")  # what is there is whole, or this raises
    return ""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the database's account can pass through, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="lab-kill-") as name:
        os.chmod(name, 0o711)
        yield Path(name)


def _supervisor_of(process: subprocess.Popen[bytes]) -> psutil.Process:
    """Wait for the backend's supervisor, the child that the lab started."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for child in psutil.Process(process.pid).children():
            if "reference_backend" in child.cmdline():
                return child
        time.sleep(0.05)
    raise AssertionError("no supervisor was started")


@pytest.mark.measured
@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.3, 2.0, 6.0])
def test_a_killed_backend_is_a_failed_measurement_that_leaves_nothing(folder: Path, after_s: float) -> None:
    """SIGKILL of the supervisor: exit code 3 with a reason, its servers die with it, and the lab removes its folder."""
    temporary = folder / "tmp"
    marker = f"kill-test-{os.getpid()}-supervisor-{after_s}"
    process = _start(folder, temporary, marker, stderr=subprocess.PIPE)
    supervisor = _supervisor_of(process)
    time.sleep(after_s)
    supervisor.kill()
    _, words = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 3, words.decode()
    assert b"ended unexpectedly" in words
    assert not (folder / "run").exists()
    deadline = time.monotonic() + PATIENCE_S
    while _ours(marker) or list(temporary.iterdir()):
        assert time.monotonic() < deadline, (_ours(marker), list(temporary.iterdir()))
        time.sleep(0.1)


@pytest.mark.measured
@pytest.mark.slow
def test_killed_at_any_moment_it_leaves_nothing(folder: Path) -> None:
    """24 measurements ended by SIGINT, SIGTERM and SIGKILL at addressed moments, from start-up to saving."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        left = list(pool.map(lambda number: _kill_once(number, folder), range(KILLS)))
    assert [words for words in left if words] == []
