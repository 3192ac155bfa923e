"""What a consumer of a queue spends on a message beside its steps."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lab.calibration.observed import ATTEMPT, Observed
from lab.calibration.sample import Sample, sample_of
from lab.scenario.components import Queue
from lab.scenario.scenario import Scenario


def consumes(scenario: Scenario, service: str) -> bool:
    """Return whether the service is the consumer of a queue."""
    return any(isinstance(part, Queue) and part.consumer == service for part in scenario.components.values())


def overheads(observed: Observed, path: str, service: str) -> Sample:
    """Return the time that each message took beside its own steps and what it asked of others.

    Not its CPU time, as of other services: a consumer computes between messages too, when it asks for the next.
    """
    visits = observed.of(service)
    visits = visits[visits["outcome"] == "ok"]
    held_s = np.asarray(visits["departure_s"] - visits["admitted_s"] - visits["service_time_s"])
    asked = observed.visits[observed.visits["background"] & ~_of_consuming(observed, service)]
    asked_s = (asked["departure_s"] - asked["arrival_s"]).groupby([asked[key] for key in ATTEMPT]).sum()
    others_s = asked_s.reindex(pd.MultiIndex.from_frame(visits[ATTEMPT]), fill_value=0.0)
    return sample_of(path, held_s - np.asarray(others_s), how=f"time of {service} beside its steps")


def _of_consuming(observed: Observed, service: str) -> pd.Series[bool]:
    """Return which visits are those of the consumer itself and of messages in queues."""
    queues = [name for name, part in observed.scenario.components.items() if isinstance(part, Queue)]
    names = [service, *queues, *(f"{name}.acknowledge" for name in queues)]
    return observed.visits["component"].isin(names)
