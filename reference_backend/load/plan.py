"""What the supervisor tells the generator, in a small JSON file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from reference_backend.client import Client

VARIABLE = "ARCHLAB_LOAD_PLAN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One repeat: what to send, where to, as which client, and where the results go."""

    schedule: str
    output: str
    base_url: str
    methods: dict[str, str]
    demands_of: dict[str, int]
    client: Client
    progress_fd: int = -1

    def write(self, path: Path) -> None:
        """Write the plan to a file."""
        path.write_text(json.dumps(asdict(self) | {"client": self.client.model_dump()}))

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Return the plan in a file."""
        fields = json.loads(path.read_text())
        return cls(**fields | {"client": Client.model_validate(fields["client"])})
