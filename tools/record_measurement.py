"""Record the measurements that README, notebooks and tests compare with. `make record`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import lab
from tools import recorded

REPEATS = 5


def record(name: str) -> None:
    """Measure a scenario and keep the Run, unless it may not judge."""
    run = lab.measure(recorded.scenario(name), repeats=REPEATS)
    if not run.provenance["validity"]["valid"]:
        raise SystemExit(f"{name}: not recorded, for it may not judge: {run.provenance['validity']['problems']}")
    day = datetime.now(UTC).date().isoformat()
    replace(run, provenance={**run.provenance, "recorded_on": day}).save(recorded.folder(name), overwrite=True)


if __name__ == "__main__":
    for each in recorded.NAMES:
        record(each)
