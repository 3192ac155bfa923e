"""What may not judge does not: a late generator, a busy host, a process that died make a measurement inconclusive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

import lab
from lab.errors import MeasurementFailed

pytestmark = [pytest.mark.measured, pytest.mark.slow]

SCENARIO = """
name: to_be_disturbed
workload: {kind: open, arrival_rate: 100/s, endpoints: {get: 100%}}
entry: edge
components:
  edge: {kind: load_balancer, targets: api}
  api: {kind: service, replicas: 2, endpoints: {get: [{kind: wait, time: 5ms}]}}
run: {duration: 4s, warm_up: 1s, replications: 1}
"""
needs_two_cores = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) < 2, reason="with one core generator and backend share it, and nothing is valid"
)


@pytest.fixture
def scenario() -> lab.Scenario:
    """Two replicas behind HAProxy, hardly busy."""
    return lab.parse_scenario(SCENARIO)


@contextmanager
def burning(core: int, processes: int) -> Iterator[None]:
    """Have processes compute on one core until the block ends."""
    code = f"import os; os.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
    started = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


@needs_two_cores
def test_a_generator_without_room_may_not_judge(scenario: lab.Scenario) -> None:
    """Its core is shared with three others who compute, so it sends too late."""
    with burning(max(os.sched_getaffinity(0)), processes=3):
        run = lab.measure(scenario, progress=False)
    assert not run.provenance["validity"]["valid"]
    assert "the generator was late" in " ".join(run.provenance["validity"]["by_repeat"][0])


@needs_two_cores
def test_a_host_that_does_something_else_may_not_judge(scenario: lab.Scenario, tmp_path: Path) -> None:
    """Somebody computes on the backend's core; the command line says so and exits with 3."""
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    with burning(min(os.sched_getaffinity(0)), processes=1):
        done = subprocess.run(
            [sys.executable, "-m", "lab", "measure", str(tmp_path / "scenario.yaml")],
            env=os.environ | {"TQDM_DISABLE": "1"},
            capture_output=True,
            check=False,
            text=True,
        )
    assert done.returncode == 3
    assert "other processes of this machine used" in done.stderr


def test_a_process_that_dies_unplanned_ends_the_measurement(scenario: lab.Scenario) -> None:
    """A replica is killed from outside while requests are sent: the measurement fails, and names it."""

    def kill_a_replica() -> None:
        deadline = time.monotonic() + 20.0
        while time.monotonic() < deadline:
            for process in psutil.Process().children(recursive=True):
                if "reference_backend.replica" in _words(process) and _age_s(process) > 2.5:
                    process.send_signal(signal.SIGKILL)
                    return
            time.sleep(0.1)

    killer = threading.Thread(target=kill_a_replica)
    killer.start()
    try:
        with pytest.raises(MeasurementFailed, match=r"api/\d: the process was ended by SIGKILL"):
            lab.measure(scenario, progress=False)
    finally:
        killer.join()


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def _age_s(process: psutil.Process) -> float:
    try:
        return time.time() - process.create_time()
    except psutil.NoSuchProcess:
        return 0.0
