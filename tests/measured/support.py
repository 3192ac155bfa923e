"""Running the reference backend once, from a deployment and a schedule, as a user of its command line would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from reference_backend.load.schedule import Schedule, write_schedule

ROOT = Path(__file__).resolve().parents[2]


def run_once(
    folder: Path, deployment: Mapping[str, object], schedule: Schedule, *, settings: Mapping[str, str] | None = None
) -> Path:
    """Send the schedule once, with ``settings`` in the environment, and return the folder of the repeat."""
    (folder / "deployment.json").write_text(json.dumps(deployment))
    write_schedule(folder / "schedule.parquet", schedule)
    arguments = ["--deployment", folder / "deployment.json", "--schedule", folder / "schedule.parquet"]
    done = subprocess.run(
        [sys.executable, "-m", "reference_backend", "run", *arguments, "--out", folder / "out", "--no-pin"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **(settings or {})},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "out" / "repeat-0"
