"""Laws of fleets that change: never more processes than allowed, and never another number wanted than may be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from lab.runs.invocations import PLATFORM
from lab.runs.run import Run
from lab.scenario.autoscaler import Autoscaler
from lab.scenario.components import NodePool, Service
from lab.scenario.knative import KnativeAutoscaler
from lab.scenario.scenario import Scenario
from lab.scenario.serverless import ServerlessAutoscaler
from lab.validation.order import overtaken

ACTIVATOR = ".activator"
"""What follows the name of a Knative service in the rows of its activator."""

_ROUNDING = 1e-6  # of one start
_PRESENT = ("replicas_starting", "replicas_ready", "replicas_draining")


def broken_scaling_laws(scenario: Scenario, run: Run) -> Iterator[str]:
    """Yield a sentence with numbers for each law that an autoscaled service of a predicted Run breaks."""
    for name, part in scenario.components.items():
        if isinstance(part, NodePool):
            for replication in run.replications:
                own = run.samples[(run.samples["component"] == name) & (run.samples["replication"] == replication)]
                yield from _room(own, part, f"{name} in replication {replication}")
        if isinstance(part, Service) and part.autoscaler is not None:
            own = run.samples[run.samples["component"] == name]
            for replication in run.replications:
                steps = own[own["replication"] == replication]
                where = f"{name} in replication {replication}"
                yield from _within(steps, part.autoscaler, where)
                if isinstance(part.autoscaler, KnativeAutoscaler):
                    visits = run.only(replication).visits
                    yield from overtaken(visits[visits["component"] == name + ACTIVATOR], where)
                if isinstance(part.autoscaler, ServerlessAutoscaler):
                    yield from _ramp(run.only(replication).visits, name, part.autoscaler, where)


def _within(steps: pd.DataFrame, autoscaler: Autoscaler, where: str) -> Iterator[str]:
    """The limits hold at every time, also just after a schedule has changed them."""
    wanted = steps[steps["gauge"] == "replicas_wanted"].set_index("time_s")["value"]
    changes_s = [action.at for action in autoscaler.schedule if action.at <= wanted.index.max()]
    over_time = wanted.reindex(sorted({*wanted.index, *changes_s})).ffill()
    for time_s, number in over_time.items():
        low, high = autoscaler.limits_at(float(str(time_s)))
        if not low <= number <= high:
            yield f"bounds: {where} wanted {int(number)} replicas at {time_s} s, outside of {low} to {high}"
            break
    present = steps[steps["gauge"].isin(_PRESENT)]
    # One step a gauge and time, each holding until its next: their sum is the number of processes.
    table = present.pivot(index="time_s", columns="gauge", values="value").ffill().sum(axis="columns")
    if autoscaler.quota is not None and table.max() > autoscaler.quota:
        yield f"quota: {where} had {int(table.max())} processes at a time, but only {autoscaler.quota} are given out"


def _ramp(visits: pd.DataFrame, name: str, autoscaler: ServerlessAutoscaler, where: str) -> Iterator[str]:
    """In no stretch of time more cold starts than the burst and what has come back of it."""
    own = visits[(visits["component"] == name + PLATFORM) & (visits["replica"] >= 0)]
    cold = own[~own["hit"].fillna(value=False).astype(bool)]
    starts_s = np.sort(np.asarray(cold.groupby("replica")["arrival_s"].min(), dtype=float))
    surplus = np.arange(len(starts_s)) - autoscaler.scaling_rate * starts_s
    most = float((surplus + 1 - np.minimum.accumulate(surplus)).max(initial=0.0))
    if most > autoscaler.scaling_burst + _ROUNDING:
        yield f"ramp: {where} started {most:.6f} more than came back, but its burst is {autoscaler.scaling_burst}"


def _room(steps: pd.DataFrame, pool: NodePool, where: str) -> Iterator[str]:
    """No more pods than the ready nodes have room for, none pending while one has, and no more nodes than may be."""
    table = steps.pivot(index="time_s", columns="gauge", values="value").ffill()
    room = table["replicas_ready"] * pool.pods_per_node - table["pods_placed"]
    if (room < 0).any():
        yield f"room: {where} held {int(-room.min())} pods more than its nodes have room for"
    waited = (table["pods_pending"] > 0) & (room > 0)
    if waited.any():
        yield f"room: {where} let a pod wait at {table.index[waited][0]} s while a node had room"
    most = pool.max if pool.quota is None else min(pool.max, pool.quota)
    if not table["replicas_wanted"].between(pool.min, most).all():
        said = f"{int(table['replicas_wanted'].min())} to {int(table['replicas_wanted'].max())}"
        yield f"bounds: {where} had {said} nodes, outside of {pool.min} to {most}"
