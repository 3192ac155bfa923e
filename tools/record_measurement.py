"""Record the measurement of first_spike that README, notebook and tests compare with. `make record`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import lab

ROOT = Path(__file__).parents[1]
REPEATS = 5

if __name__ == "__main__":
    scenario = lab.read_scenario(ROOT / "scenarios" / "validation" / "first_spike.yaml")
    run = lab.measure(scenario, repeats=REPEATS)
    if not run.provenance["validity"]["valid"]:
        raise SystemExit("not recorded, for it may not judge: " + "; ".join(run.provenance["validity"]["problems"]))
    day = datetime.now(UTC).date().isoformat()
    replace(run, provenance={**run.provenance, "recorded_on": day}).save(
        ROOT / "measurements" / "first_spike", overwrite=True
    )
