"""The error triangle: how much of a miss comes from the arrivals, how much from the demands, how much from the model.

::

    planned arrivals --> real arrivals --> real arrivals, demands as they were --> measured
                   arrivals          demands                              model

Each step replaces one assumption by what was observed in the measured run itself; what is left in the end is the
model's own. The parts add up to the whole error.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lab.calibration import Calibration, calibrate
from lab.runs.run import Run
from lab.runs.tables import Tables
from lab.scenario.scenario import Scenario
from lab.validation.predicting import overload_is_wanted, quietly_simulated

FIGURES = ("sojourn_time_s_p50", "sojourn_time_s_p95", "sojourn_time_s_p99")
# It was fitted as what is left over, so fitted anew it would take the model's error for one of the demands.
_LEFT_OVER = "client.round_trip"


def error_triangle(scenario: Scenario, calibration: Calibration, run: Run) -> dict[str, dict[str, float]]:
    """Return the parts of each sojourn time's relative error (predicted - measured) / measured.

    Args:
        scenario: calibrated, as it was predicted.
        calibration: the frozen one that it was predicted with.
        run: the measured Run; its first repeat is taken apart.

    Returns:
        Figure to ``arrivals``, ``demands`` and ``model``.
    """
    measured = run.only(run.replications[0])
    as_sent = _as_sent(measured)
    parameters = [path for path in calibration.parameters if path != _LEFT_OVER]
    with overload_is_wanted():
        refitted = scenario.with_calibration(calibrate(measured, scenario, parameters)) if parameters else scenario
    planned = quietly_simulated(scenario, replay=measured)
    sent = quietly_simulated(scenario, replay=as_sent)
    demanded = quietly_simulated(refitted, replay=as_sent)
    parts = {}
    for figure in FIGURES:
        steps = [each.value(figure) for each in (planned, sent, demanded, measured)]
        names = ("arrivals", "demands", "model")
        parts[figure] = {
            name: (before - after) / steps[-1] for name, before, after in zip(names, steps, steps[1:], strict=False)
        }
    return parts


def _as_sent(run: Run) -> Run:
    """Return the Run with each request meant to start when it really did."""
    requests = run.requests.copy()
    # The generator sends in the order of the schedule; two clocks read within a microsecond may not say so.
    requests["intended_start_s"] = np.maximum.accumulate(requests["start_s"].to_numpy())
    # The sojourn times still run from the plan, which the table's rules would refuse; nobody reads them here.
    return replace(run, tables=Tables.of_checked(**run.tables.as_dict() | {"requests": requests}))
