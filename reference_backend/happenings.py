"""What happened to the parts of a backend during a repeat, as the simulator would tell of it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from reference_backend.agenda import Agenda


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that happened to a part of the backend, and when (time since the schedule's zero)."""

    time_s: float
    component: str
    kind: str
    detail: str = ""


def detailed(**detail: object) -> str:
    """Return the inputs of what happened, as the simulator writes them.

    >>> detailed(replica=3, replaces=0)
    '{"replaces":0,"replica":3}'
    """
    return json.dumps(detail, sort_keys=True, separators=(",", ":"))


class Happenings:
    """What has happened so far."""

    def __init__(self, *, agenda: Agenda) -> None:
        self._agenda = agenda
        self.all: list[Happening] = []

    def note(self, component: str, kind: str, **detail: object) -> None:
        """Note that something has just happened, with its inputs."""
        now_s = self._agenda.time_s
        self.all.append(Happening(time_s=now_s, component=component, kind=kind, detail=detailed(**detail)))
