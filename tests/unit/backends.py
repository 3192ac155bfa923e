"""Small scenarios with hand-made schedules, so that every time in a test can be worked out on paper."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lab.scenario.scenario import Scenario
from lab.scenario.schedule import Schedule
from lab.simulation.build import OwnComponents
from lab.simulation.build.clients import schedule_of_run
from lab.simulation.replicate import Observed, replicate


def scenario(components: dict[str, Any], *, entry: str = "api", **others: Any) -> Scenario:
    """Return a scenario of these components; the schedule comes from the test."""
    return Scenario.model_validate(
        {
            "name": "by_hand",
            "workload": {"kind": "open", "arrival_rate": "1/s", "endpoints": {"get": "100%"}},
            "entry": entry,
            "components": components,
            "run": {"duration": "100s"},
            **others,
        }
    )


def observe(
    described: Scenario,
    starts_s: list[float],
    *,
    keys: list[int] | None = None,
    endpoints: list[str] | None = None,
    own: OwnComponents | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the requests and visits of one replication under this schedule."""
    schedule = Schedule(
        intended_start_s=np.array(starts_s),
        endpoint=("get",) * len(starts_s) if endpoints is None else tuple(endpoints),
        key=np.array(keys if keys is not None else [0] * len(starts_s)),
    )
    observed = replicate(described, schedule, seed=1, replication=0, own=own)
    return pd.DataFrame(observed.requests), pd.DataFrame(observed.visits)


def live(described: Scenario, *, own: OwnComponents | None = None) -> tuple[pd.DataFrame, Observed]:
    """Return the requests of one replication whose clients ask as the workload has it, and all that was observed."""
    schedule = schedule_of_run(described, seed=1, replication=0)
    observed = replicate(described, schedule, seed=1, replication=0, own=own)
    return pd.DataFrame(observed.requests).sort_values("request", ignore_index=True), observed


def waiting(time: str) -> dict[str, Any]:
    """Return a `wait` step of a constant time."""
    return {"kind": "wait", "time": time}


def service(*steps: dict[str, Any], **others: Any) -> dict[str, Any]:
    """Return a service with one endpoint, ``get``."""
    return {"kind": "service", "endpoints": {"get": list(steps)}, **others}
