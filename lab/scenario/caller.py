"""Who does a step, for the arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.scenario.routes import Shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose steps are done: the service, where the transactions around them hold a connection; in a thread or not."""

    service: str
    held: Mapping[str, Shares] = field(default_factory=dict)
    in_thread: bool = False
