"""How many replicas there were over time, and what they cost: replica seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from lab.runs.window import Window

_BEGINS_WITH = {"service": "replicas", "node_pool": "nodes"}
PRESENT = ("replicas_starting", "replicas_ready", "replicas_draining")
METRIC = "replica_seconds"

Array = np.ndarray[Any, np.dtype[np.float64]]


def replica_seconds_frame(
    samples: pd.DataFrame, scenario: Mapping[str, Any], *, replications: tuple[int, ...], window: Window
) -> pd.DataFrame:
    """Return the replica seconds of each service, and of each node pool, in each replication: what its fleet costs.

    A process counts from its start to its end: while it boots, serves and drains. A fleet that never changes has as
    many as the scenario says.

    Args:
        samples: the samples table.
        scenario: the scenario document.
        replications: the numbers of the replications.
        window: the stretch that counts.

    Returns:
        Columns replication, metric, subject, value, unit; one row a (replication, service or node pool).
    """
    rows = [
        (replication, METRIC, service, seconds, "s")
        for replication in replications
        for service, seconds in _seconds(samples[samples["replication"] == replication], scenario, window)
    ]
    return pd.DataFrame(rows, columns=["replication", "metric", "subject", "value", "unit"])


def _seconds(samples: pd.DataFrame, scenario: Mapping[str, Any], window: Window) -> Iterator[tuple[str, float]]:
    for name, component in scenario.get("components", {}).items():
        if component.get("kind") not in _BEGINS_WITH:
            continue
        own = samples[(samples["component"] == name) & samples["gauge"].isin(PRESENT)]
        if own.empty:
            yield name, float(component.get(_BEGINS_WITH[component["kind"]], 1)) * window.length_s
        else:
            yield name, sum(_area(steps, window) for _, steps in own.groupby("gauge", observed=True))


def _area(steps: pd.DataFrame, window: Window) -> float:
    """The area under a step function within a window; each step holds until the next."""
    times, values = np.asarray(steps["time_s"]), np.asarray(steps["value"])
    edges = np.append(times, window.end_s).clip(window.start_s, window.end_s)
    return float((np.diff(edges) * values).sum())


def steps_of(samples: pd.DataFrame, *, component: str, gauge: str) -> tuple[Array, Array]:
    """Return when a gauge of one replication changed, and what it read from then on."""
    own = samples[(samples["component"] == component) & (samples["gauge"] == gauge)]
    return np.asarray(own["time_s"], dtype=float), np.asarray(own["value"], dtype=float)


def fleet_size(samples: pd.DataFrame, scenario: Mapping[str, Any], *, window: Window) -> tuple[float, float] | None:
    """Return how many replicas all services have together in one replication: on average, and at most at a time.

    As in :func:`replica_seconds_frame`, those that boot or drain count too. None where no service has any.

    Args:
        samples: those of the replication.
        scenario: the scenario document.
        window: the stretch that counts.
    """
    services = {name for name, part in scenario.get("components", {}).items() if part.get("kind") == "service"}
    if not services:
        return None
    seconds = sum(spent_s for name, spent_s in _seconds(samples, scenario, window) if name in services)
    changing = samples[samples["component"].isin(services) & samples["gauge"].isin(PRESENT)]
    gauges = [own for _, own in changing.groupby(["component", "gauge"], observed=True)]
    fixed = services - set(changing["component"].astype(str))
    always = sum(float(scenario["components"][name].get("replicas", 1)) for name in fixed)
    inside = window.holds(np.asarray(changing["time_s"], dtype=float))
    times = np.append(np.asarray(changing["time_s"], dtype=float)[inside], window.start_s)
    return seconds / window.length_s, always + float(sum((_at(times, own) for own in gauges), np.zeros(1)).max())


def _at(times: Array, steps: pd.DataFrame) -> Array:
    """What a step function reads at these times; 0 before its first step."""
    places = np.searchsorted(np.asarray(steps["time_s"], dtype=float), times, side="right") - 1
    return np.where(places >= 0, np.asarray(steps["value"], dtype=float)[np.maximum(places, 0)], 0.0)
