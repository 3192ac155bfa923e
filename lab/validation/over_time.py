"""Figures over time: a list of numbers a repeat, compared place by place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lab.errors import NotEnoughData
from lab.runs.fleets import steps_of
from lab.runs.run import Run
from lab.validation.scaled import switches_over_time
from lab.validation.shares import detection_time_s, share_per_replica

HIT_WINDOW_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OverTime:
    """How a figure over time is judged.

    Attributes:
        agreement: ``equal``: the share of places at which both worlds say the same must reach the bound;
            ``within``: at every place the two may differ by the bound at most.
        bound: a share, or a difference in the figure's own unit.
        step_s: what lies between two places.
    """

    agreement: Literal["equal", "within"]
    bound: float
    step_s: float


# The margins of the validation protocol for figures over time.
FIGURES = {
    "replicas_over_time": OverTime(agreement="equal", bound=0.95, step_s=1.0),
    # In sync periods: each switch may be one of them off.
    "switches_over_time": OverTime(agreement="within", bound=1.0, step_s=1.0),
    # A share is a ratio, as hits are. A failure is noticed at a check: it may be one interval (of half a second) off.
    "share_per_replica": OverTime(agreement="within", bound=0.02, step_s=1.0),
    "detection_time_s": OverTime(agreement="within", bound=0.5, step_s=1.0),
    "hit_ratio_over_time": OverTime(agreement="within", bound=0.02, step_s=HIT_WINDOW_S),
}


def over_time(name: str, run: Run) -> list[list[float]]:
    """Return a figure over time of each replication or repeat.

    Raises:
        NotEnoughData: the Run does not have it, or there is no such figure.
    """
    match name:
        case "replicas_over_time":
            return replicas_over_time(run)
        case "switches_over_time":
            return switches_over_time(run)
        case "share_per_replica":
            return share_per_replica(run)
        case "detection_time_s":
            return detection_time_s(run)
        case "hit_ratio_over_time":
            return hit_ratio_over_time(run)
        case _:
            raise NotEnoughData(f"{name} is not a figure over time (there are: {', '.join(FIGURES)})")


def replicas_over_time(run: Run) -> list[list[float]]:
    """Return the number of ready replicas at each whole second, of all services whose number changes together.

    Raises:
        NotEnoughData: no fleet of the Run is followed over time.
    """
    ready = run.samples[run.samples["gauge"] == "replicas_ready"]
    if ready.empty:
        raise NotEnoughData("the Run has no gauge replicas_ready: nothing in it changes its number of replicas")
    seconds = np.arange(0.0, run.window.end_s)
    rows = []
    for number in run.replications:
        own = ready[ready["replication"] == number]
        total = np.zeros(len(seconds))
        for component in own["component"].unique():
            times_s, values = steps_of(own, component=str(component), gauge="replicas_ready")
            places = np.searchsorted(times_s, seconds + 1e-9, side="right") - 1
            total += np.where(places >= 0, values[np.maximum(places, 0)], values[0])
        rows.append([float(value) for value in total])
    return rows


def hit_ratio_over_time(run: Run) -> list[list[float]]:
    """Return the hit ratio of each stretch of ten seconds, cache by cache in the order of their names.

    It is NaN where nothing was looked up in one repeat but in another.

    Raises:
        NotEnoughData: nothing was looked up at all.
    """
    frame = run.timeline(HIT_WINDOW_S)
    hits = frame[frame["metric"] == "hit_ratio"]
    if hits.empty:
        raise NotEnoughData("nothing was looked up in a cache, so there is no hit ratio over time")
    wide = hits.pivot_table(index="replication", columns=["subject", "time_s"], values="value", observed=True)
    return [[float(value) for value in row] for row in wide.to_numpy()]
