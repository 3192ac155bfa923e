"""Running Locust: one process for each repeat, ended by itself when its schedule is done."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from reference_backend.agenda import Agenda
from reference_backend.load.plan import VARIABLE, Plan
from reference_backend.problems import PartFailed
from reference_backend.processes import Child, Command, spawn, stop
from reference_backend.watch import Watch

# How long Locust may take to start, and after its last second to write its results.
_START_S = 30.0
_END_S = 30.0
_SECOND_S = 1.0
_LOCUSTFILE = Path(__file__).parent / "load" / "locustfile.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What is sent in one repeat, where its results go, and how long it may take."""

    plan: Plan
    folder: Path
    log: Path
    longest_s: float
    cores: frozenset[int] | None


class Progress:
    """The lines that the generator writes on its pipe."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._rest = b""

    def lines(self) -> list[dict[str, float]] | None:
        """Return the complete lines that have come; None at the end of the pipe."""
        data = os.read(self.fd, 65536)
        if not data:
            return None
        *complete, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in complete]


def send(
    sending: Sending, *, watch: Watch, agenda: Agenda, every_second: Callable[[float, dict[str, float]], None]
) -> float:
    """Send one schedule; return the monotonic time of its zero.

    Args:
        sending: what, where to, and for how long at most.
        watch: where the supervisor waits.
        agenda: what is done meanwhile; what is still on it at the end is left undone.
        every_second: called with that zero and the generator's latest line: once it is known, then about once a
            second, and once more at the end.

    Raises:
        PartFailed: the generator did not start, did not end, or failed.
    """
    with _started(sending) as (child, progress):
        zero_s: float | None = None
        latest: dict[str, float] = {}
        started_s = told_s = time.monotonic()
        while True:
            readable = watch.pause(agenda.within_s(_SECOND_S if zero_s is not None else 0.25), progress.fd)
            agenda.carry_out()
            lines = progress.lines() if readable else []
            if lines is None:
                if zero_s is not None:
                    every_second(zero_s, latest)
                break
            for line in lines:
                latest = {**latest, **line}
                if "t0" in line:
                    zero_s = line["t0"]
                    agenda.begin(zero_s)
            if zero_s is not None and (lines or time.monotonic() - told_s >= _SECOND_S):
                every_second(zero_s, latest)
                told_s = time.monotonic()
            # By our own clock: a generator that hangs says nothing of the time that passes.
            if zero_s is None and time.monotonic() - started_s > _START_S:
                raise _failed(child, f"it did not begin to send within {_START_S:g} s")
            if zero_s is not None and time.monotonic() - zero_s > sending.longest_s + _END_S:
                raise _failed(child, f"it hangs: it had to end {_END_S:g} s ago")
        watch.until(lambda: not child.is_alive(), part="generator", what="the end of Locust", within_s=_END_S)
    if child.process.returncode != 0 or zero_s is None or not (sending.folder / "generator.json").exists():
        raise _failed(child, f"it {child.exit_text()} and left no complete result")
    return zero_s


@contextmanager
def _started(sending: Sending) -> Iterator[tuple[Child, Progress]]:
    """Start Locust, and end it however the block is left."""
    read_fd, write_fd = os.pipe()
    plan_file = sending.folder / "plan.json"
    replace(sending.plan, progress_fd=write_fd).write(plan_file)
    arguments: list[str | Path] = [
        sys.executable, "-m", "locust", "--headless", "--only-summary", "-f", _LOCUSTFILE,
        "--host", sending.plan.base_url, "--users", "1", "--spawn-rate", "1",
        "--csv", sending.folder / "locust", "--exit-code-on-error", "0",
    ]  # fmt: skip
    command = Command(
        part="generator",
        arguments=arguments,
        log=sending.log,
        environment={
            VARIABLE: str(plan_file),
            "GEVENT_RESOLVER": "block",  # the addresses are numbers: gevent need not ask its threads to resolve them
            "HOME": str(sending.folder.resolve()),  # Locust reads ~/.locust.conf, and what lies in its working folder
        },
        folder=sending.folder,  # where no configuration file of Locust's lies
        inherit=(write_fd,),
        cores=sending.cores,
    )
    try:
        child = spawn(command)
    finally:
        os.close(write_fd)
    try:
        yield child, Progress(read_fd)
    finally:
        stop([child], patience_s=1.0)
        os.close(read_fd)
        plan_file.unlink(missing_ok=True)


def _failed(child: Child, what: str) -> PartFailed:
    return PartFailed(
        "generator",
        what,
        why=f"without the generator's record nothing can be said about the run. Its last words: {child.last_words()}",
        do="read those words; look whether the machine is overloaded",
    )
