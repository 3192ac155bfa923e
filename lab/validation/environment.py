"""Under which circumstances a measurement was made: kept with every verdict."""

from __future__ import annotations

import subprocess
from typing import Any

from lab.runs.run import Run


def environment_of(run: Run) -> dict[str, Any]:
    """Return the host, the versions, the real servers and the commit of a measured Run; JSON values."""
    backend = run.provenance["backend"]
    return {
        "host": backend["host"],
        "servers": backend["servers"],
        "packages": backend["packages"],
        "versions": run.provenance["versions"],
        "commit": commit(),
    }


def commit() -> str | None:
    """Return the commit of the working folder, marked when it has changes; None where there is no repository."""
    try:
        said = subprocess.run(  # fixed words
            ["git", "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*"],  # noqa: S607  # the git of the PATH
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None  # an installed lab outside of a repository has no commit to name
    return said.stdout.strip()
