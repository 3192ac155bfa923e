"""Starting and ending child processes so that none can outlive the supervisor."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
# Looked up once, before any fork: between fork and exec a child must not load libraries.
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a program is ended: ``ask`` comes from the supervisor, ``orphaned`` from the kernel when that has died."""

    ask: signal.Signals = signal.SIGTERM
    orphaned: signal.Signals = signal.SIGKILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run and under which circumstances; ``yielding``: it has only what CPU time all others leave over."""

    part: str
    arguments: Sequence[str | Path]
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None
    inherit: tuple[int, ...] = ()
    user: int | None = None
    cores: frozenset[int] | None = None
    ending: Ending = Ending()
    yielding: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A started process."""

    part: str
    process: subprocess.Popen[bytes]
    log: Path
    ending: Ending

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self.process.pid

    def is_alive(self) -> bool:
        """Return whether the process still runs."""
        return self.process.poll() is None

    def exit_text(self) -> str:
        """Return how the process ended, in words."""
        code = self.process.poll()
        if code is None:
            return "still runs"
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def last_words(self, lines: int = 8) -> str:
        """Return the end of the process's log."""
        try:
            text = self.log.read_text(errors="replace").strip().splitlines()
        except OSError as error:
            return f"(its log cannot be read: {error.strerror})"
        return " | ".join(line.strip() for line in text[-lines:]) or "(its log is empty)"


def spawn(command: Command) -> Child:
    """Start a process that the kernel ends when the supervisor dies. Must be called from the main thread.

    The death signal belongs to the *thread* that forked, so a worker thread that ends would take the child with it.
    The child gets a session of its own: Ctrl-C in a terminal reaches the supervisor alone, which then ends the parts.
    """
    with command.log.open("ab") as log:
        process = subprocess.Popen(
            [str(argument) for argument in command.arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **command.environment},
            cwd=command.folder,
            pass_fds=command.inherit,
            start_new_session=True,
            user=command.user,
            group=command.user if command.user is not None else None,
            extra_groups=[] if command.user is not None else None,
            preexec_fn=_before_exec(os.getpid(), command),  # noqa: PLW1509 - single-threaded
        )
    return Child(part=command.part, process=process, log=command.log, ending=command.ending)


def _before_exec(supervisor: int, command: Command) -> Callable[[], None]:
    """Return what a new child does between fork and exec."""

    def prepare() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(command.ending.orphaned), 0, 0, 0)
        if os.getppid() != supervisor:  # the supervisor died before the request to be told of it was in place
            os._exit(70)
        if command.cores is not None:
            os.sched_setaffinity(0, command.cores)
        if command.yielding:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

    return prepare


def stop(children: Sequence[Child], *, patience_s: float = 3.0) -> list[str]:
    """End processes, in the given order and all at once; return the parts that had to be killed."""
    for child in children:
        if child.is_alive():
            _signal_group(child, child.ending.ask)
            _signal_group(child, signal.SIGCONT)  # one that a fault made stand still would not hear it
    deadline = time.monotonic() + patience_s
    while any(child.is_alive() for child in children) and time.monotonic() < deadline:
        time.sleep(0.01)
    stubborn = [child for child in children if child.is_alive()]
    for child in children:
        # Also after a polite end: a group may hold grandchildren that its leader left behind.
        _signal_group(child, signal.SIGKILL)
    for child in children:
        child.process.wait()
    return [child.part for child in stubborn]


def _signal_group(child: Child, signal_number: signal.Signals) -> None:
    """Send a signal to a child; SIGKILL goes to its whole process group."""
    try:
        if signal_number is signal.SIGKILL:
            os.killpg(child.pid, signal_number)
        else:
            child.process.send_signal(signal_number)
    except ProcessLookupError:
        return  # it ended by itself: what was wanted is so already
