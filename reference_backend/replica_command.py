"""How a replica of a service is started: with the rest of the backend, or later, when there is to be one more."""

from __future__ import annotations

import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

from reference_backend.processes import Command

_NICE_OF_ZERO = 20  # RLIMIT_NICE counts down from here


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """How a replica is started while others are at work.

    Attributes:
        ready_at_s: the monotonic time before which it does not say that it is ready, however quick it was.
        yielding: whether it takes no CPU time from others until it is ready.
    """

    ready_at_s: float
    yielding: bool


def can_yield() -> bool:
    """Return whether a process may leave the CPU to others and later take its full share again.

    Linux lets everybody begin to yield, but only root, or who may have a nice value of 0 (RLIMIT_NICE), end it.
    """
    return os.geteuid() == 0 or resource.getrlimit(resource.RLIMIT_NICE)[0] >= _NICE_OF_ZERO


def ports_file(folder: Path, service: str) -> Path:
    """Return the file that tells the replicas of a service where they find what they ask."""
    return folder / f"ports-{service}.json"


def span_file(folder: Path, part: str) -> Path:
    """Return the file that a part (``api/0``) writes its spans to."""
    return folder / f"spans-{part.replace('/', '-')}"


def span_files(folder: Path) -> list[Path]:
    """Return the files that all parts, those of the past included, write their spans to."""
    return sorted(folder.glob("spans-*"))


def command(*, folder: Path, service: str, replica: int, fd: int, boot: Boot | None = None) -> Command:
    """Return what starts a replica.

    Args:
        folder: where ``deployment.json`` and the service's ports lie.
        service: whose replica it is.
        replica: its number.
        fd: the listening socket that it inherits.
        boot: how it starts if others are at work.
    """
    part = f"{service}/{replica}"
    arguments: list[str | Path] = [
        sys.executable, "-m", "reference_backend.replica", "--deployment", folder / "deployment.json",
        "--ports", ports_file(folder, service), "--service", service, "--replica", str(replica),
        "--fd", str(fd), "--spans", span_file(folder, part),
    ]  # fmt: skip
    if boot is not None:
        arguments += ["--ready-at", repr(boot.ready_at_s)]
    yielding = boot is not None and boot.yielding
    log = folder / f"{service}-{replica}.log"
    return Command(part=part, arguments=arguments, log=log, inherit=(fd,), yielding=yielding)
