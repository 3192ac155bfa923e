"""What the supervisor tells the generator, in a small JSON file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

VARIABLE = "ARCHLAB_LOAD_PLAN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One repeat: what to send, where to, with how much patience, and where the results go."""

    schedule: str
    output: str
    base_url: str
    methods: dict[str, str]
    demands_of: dict[str, int]
    timeout_s: float
    attempts: int
    progress_fd: int = -1

    def write(self, path: Path) -> None:
        """Write the plan to a file."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Return the plan in a file."""
        return cls(**json.loads(path.read_text()))
