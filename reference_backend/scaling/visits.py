"""What the platform saw of each request, in the lines that replicas write too."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from reference_backend.scaling.http import Message
from reference_backend.spans import Outcome

_NO_REPLICA = -1


@dataclass(slots=True, kw_only=True, eq=False)
class Visit:
    """One request while it is at the platform; ``warm``: whether a warm replica had room for it when it came."""

    request: int
    attempt: int
    operation: str
    arrival_s: float
    warm: bool
    replica: int = _NO_REPLICA
    admitted_s: float | None = None


class Visits:
    """Writes each request when it leaves."""

    def __init__(self, *, path: Path, component: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._component = component
        self._here: set[Visit] = set()

    def open(self, request: Message, *, warm: bool) -> Visit:
        """Take note of a request that has just come."""
        visit = Visit(
            request=request.number(b"x-request", -1),
            attempt=request.number(b"x-attempt", 0),
            operation=request.words[1].lstrip("/").partition("?")[0],
            arrival_s=time.monotonic(),
            warm=warm,
        )
        self._here.add(visit)
        return visit

    def close(self, visit: Visit, outcome: Outcome) -> None:
        """Write a request that leaves now."""
        if visit in self._here:  # else it was disowned: its line is written already
            self._here.remove(visit)
            self._write(visit, time.monotonic(), outcome)

    def disown(self) -> None:
        """Write the requests that are still here as in flight."""
        for visit in self._here:
            self._write(visit, None, "in_flight")
        self._here.clear()

    def _write(self, visit: Visit, departure_s: float | None, outcome: Outcome) -> None:
        waited_s = None if visit.admitted_s is None else visit.admitted_s - visit.arrival_s
        row = [
            self._component, visit.replica, visit.operation, visit.arrival_s, visit.admitted_s, departure_s, waited_s,
            0.0, outcome, visit.warm,
        ]  # fmt: skip
        os.write(self._fd, json.dumps([visit.request, visit.attempt, [row]], separators=(",", ":")).encode() + b"\n")
