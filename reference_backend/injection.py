"""Faults of a repeat: they happen at their times, and are told as events of the simulator's names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial

from reference_backend.agenda import Agenda
from reference_backend.backend import Backend
from reference_backend.faults import FlushFault


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that happened to a part of the backend, and when (time since the schedule's zero)."""

    time_s: float
    component: str
    kind: str
    detail: str = ""


class Injection:
    """Puts the faults of a deployment on a repeat's agenda, and notes what really happened when."""

    def __init__(self, *, backend: Backend, agenda: Agenda) -> None:
        self._backend = backend
        self._agenda = agenda
        self.happenings: list[Happening] = []
        for fault in backend.deployment.faults:
            agenda.at(fault.at_s, partial(self._flush, fault))

    def note(self, component: str, kind: str, **detail: object) -> None:
        """Note that something has just happened, with its inputs as the simulator writes them."""
        text = json.dumps(detail, sort_keys=True, separators=(",", ":"))
        self.happenings.append(Happening(time_s=self._agenda.time_s, component=component, kind=kind, detail=text))

    def _flush(self, fault: FlushFault) -> None:
        self._backend.parts.caches[fault.component].empty()
        self.note(fault.component, "flush")
