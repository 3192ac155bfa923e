"""The generator: what it does when connections break, and what the supervisor does when it hangs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from reference_backend import generator
from reference_backend.agenda import Agenda
from reference_backend.client import Client
from reference_backend.events import Events
from reference_backend.generator import Progress, Sending
from reference_backend.load.plan import Plan
from reference_backend.load.records import Attempt, Sent, write_quality
from reference_backend.load.schedule import Planned
from reference_backend.problems import PartFailed
from reference_backend.processes import Child, Command, spawn, stop
from reference_backend.watch import Watch

ROOT = Path(__file__).resolve().parents[2]


def plan(folder: Path, base_url: str = "http://127.0.0.1:1") -> Plan:
    """Return a plan for one endpoint and one attempt."""
    return Plan(
        schedule=str(folder / "schedule.parquet"),
        output=str(folder),
        base_url=base_url,
        methods={"read": "GET"},
        demands_of={"read": 0},
        client=Client(timeout_s=1.0, attempts=1),
    )


def sending(folder: Path, longest_s: float) -> Sending:
    """Return what is to be sent."""
    return Sending(plan=plan(folder), folder=folder, log=folder / "log", longest_s=longest_s, cores=None)


def test_generator_that_hangs_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It told its zero and then nothing more, not even the time: the supervisor's own clock ends the run."""

    @contextmanager
    def hanging(_: Sending) -> Iterator[tuple[Child, Progress]]:
        read_fd, write_fd = os.pipe()
        os.write(write_fd, json.dumps({"t0": time.monotonic()}).encode() + b"\n")
        code = "import time; print('stuck here', flush=True); time.sleep(10)"
        command = [sys.executable, "-c", code]
        child = spawn(Command(part="generator", arguments=command, log=tmp_path / "log", inherit=(write_fd,)))
        os.close(write_fd)
        try:
            yield child, Progress(read_fd)
        finally:
            stop([child])
            os.close(read_fd)

    monkeypatch.setattr(generator, "_started", hanging)
    monkeypatch.setattr(generator, "_END_S", 0.2)
    watch = Watch(lifeline=False, events=Events())
    since_s = time.monotonic()
    with pytest.raises(PartFailed, match="it hangs"):
        generator.send(
            sending(tmp_path, longest_s=0.1), watch=watch, agenda=Agenda(), every_second=lambda zero_s, latest: None
        )
    assert time.monotonic() - since_s < 5.0


SEND_ONE = """
import json, sys
from geventhttpclient.client import HTTPClient
from reference_backend.load.open_model import OpenModel
from reference_backend.load.plan import Plan
from reference_backend.load.schedule import Planned, Schedule
from pathlib import Path

plan = Plan.read(Path(sys.argv[1]))
fault = sys.argv[2]
http = HTTPClient.from_url(plan.base_url, concurrency=100)
if fault == "bug":
    http.request = lambda *_, **__: 1 / 0
requests = (Planned(request=1, endpoint="read", key=1, intended_start_s=0.0, demands_s=(), backoffs_s=()),)
schedule = Schedule(duration_s=0.1, requests=requests)
OpenModel(plan=plan, schedule=schedule, http=http, report=lambda *_: None).run()
"""


def quality_after(tmp_path: Path, fault: str) -> tuple[dict[str, float], int]:
    """Send one request to a server that closes each connection unanswered; return the quality, and what it got."""
    received = []

    def hang_up(connection: socket.socket) -> None:
        with connection:
            asked = connection.recv(4096)
            if asked:  # the generator opens connections beforehand, most of which it never uses
                received.append(asked)

    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=hang_up, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        plan_file, tell = tmp_path / "plan.json", os.open(tmp_path / "told", os.O_WRONLY | os.O_CREAT)
        base_url = f"http://127.0.0.1:{server.getsockname()[1]}"
        replace(plan(tmp_path, base_url), progress_fd=tell).write(plan_file)
        subprocess.run(
            [sys.executable, "-c", SEND_ONE, str(plan_file), fault], cwd=ROOT, pass_fds=(tell,), check=True, timeout=30
        )
        os.close(tell)
        server.shutdown(socket.SHUT_RDWR)
    return json.loads((tmp_path / "generator.json").read_text()), len(received)


def test_broken_connection_is_a_fault_and_is_not_tried_again(tmp_path: Path) -> None:
    """The HTTP client must not send a request twice behind the schedule's back; what broke is counted."""
    quality, received = quality_after(tmp_path, "closed")
    assert received == 1
    assert (quality["sent"], quality["faults"], quality["unfinished"]) == (1, 1, 0)


def test_unexpected_exception_is_a_fault(tmp_path: Path) -> None:
    """A mistake in the client's own code ends no request in silence."""
    quality, received = quality_after(tmp_path, "bug")
    assert received == 0
    assert (quality["sent"], quality["faults"], quality["unfinished"]) == (1, 1, 0)


def test_only_what_the_client_failed_at_counts_as_fault(tmp_path: Path) -> None:
    """An answer with a status and a timeout are the backend's; a request in flight is unfinished; both are counted."""

    def sent(attempt: Attempt) -> Sent:
        planned = Planned(request=1, endpoint="read", key=1, intended_start_s=0.0, demands_s=(), backoffs_s=())
        return Sent(planned=planned, start_s=0.001, outcome=attempt.outcome, attempts=[attempt])

    all_sent = [
        sent(Attempt(start_s=0.0, end_s=0.1, status=200, outcome="ok")),
        sent(Attempt(start_s=0.0, end_s=0.1, status=500, outcome="error")),
        sent(Attempt(start_s=0.0, end_s=0.1, outcome="timeout")),
        sent(Attempt(start_s=0.0, end_s=0.1, outcome="error")),
        sent(Attempt(start_s=0.0)),
    ]
    write_quality(tmp_path, all_sent, dropped=0, broken=2, cpu_ratio=0.1, cores=[1])
    quality = json.loads((tmp_path / "generator.json").read_text())
    assert (quality["faults"], quality["unfinished"]) == (1 + 2, 1)
