"""From what was found to the frozen, hashed document."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lab.runs.run import Run
from lab.scenario.arithmetic import arithmetic
from lab.scenario.calibration import CalibratedRange, CalibratedValue, Calibration, scenario_fingerprint
from lab.scenario.extrapolation import places_busy
from lab.scenario.scenario import Scenario
from lab.versions import versions

_HOST = ("host", "cpu", "pinning", "servers")


def frozen(
    run: Run, scenario: Scenario, found: Mapping[str, CalibratedValue], *, source: str, **told: Any
) -> Calibration:
    """Return the sealed calibration of what was found.

    Args:
        run: what it was found in.
        scenario: what was run, with the values that were found.
        found: key path to value.
        source: ``server`` or ``client``.
        told: residuals and notes.
    """
    figures = arithmetic(scenario)
    backend = run.provenance.get("backend", {})
    return Calibration.model_validate(
        {
            "parameters": dict(found),
            "source": source,
            "world": run.world,
            "scenario": scenario.name,
            "scenario_sha256": scenario_fingerprint(scenario),
            "range": CalibratedRange(
                arrival_rate_per_s=figures.rates_per_s["peak"],
                endpoints=tuple(sorted(run.requests["endpoint"].astype(str).unique())),
                utilisation=places_busy(figures),
            ),
            "host": {key: backend[key] for key in _HOST if key in backend},
            "versions": {**run.provenance.get("versions", {}), **versions("numpy", "scipy")},
            "date": datetime.now(UTC).date().isoformat(),
            **told,
        }
    ).sealed()
