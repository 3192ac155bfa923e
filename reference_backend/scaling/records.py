"""What a scaling process notes while it works, in monotonic times, and how it is read when a repeat is over."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from reference_backend.happenings import Happening, detailed


class Notebook:
    """Appends lines to a file, each by one system call."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC, 0o600)

    def gauge(self, name: str, value: float) -> None:
        """Note what a gauge of the service reads from now on."""
        self._write({"gauge": name, "value": value})

    def event(self, component: str, kind: str, **detail: object) -> None:
        """Note that something has happened to a component just now."""
        self._write({"component": component, "kind": kind, "detail": detailed(**detail)})

    def _write(self, entry: dict[str, object]) -> None:
        os.write(self._fd, json.dumps({"time_s": time.monotonic(), **entry}).encode() + b"\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a gauge of a service read from some time (since the schedule's zero) on."""

    time_s: float
    component: str
    name: str
    value: float


def read_notes(path: Path, *, service: str, zero_s: float) -> tuple[list[Reading], list[Happening]]:
    """Return the readings and the events of a repeat; what a gauge read before the zero, it reads at the zero."""
    readings: list[Reading] = []
    before: dict[str, float] = {}
    happenings = []
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        time_s = entry["time_s"] - zero_s
        if "gauge" not in entry:
            component, kind, detail = entry["component"], entry["kind"], entry["detail"]
            happenings.append(Happening(time_s=time_s, component=component, kind=kind, detail=detail))
        elif time_s < 0:
            before[entry["gauge"]] = entry["value"]
        else:
            readings.append(Reading(time_s=time_s, component=service, name=entry["gauge"], value=entry["value"]))
    first = [Reading(time_s=0.0, component=service, name=name, value=value) for name, value in before.items()]
    return first + readings, happenings
