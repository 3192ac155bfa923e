"""Times of a service itself: its steps, those that do real work among them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.calibration.observed import ATTEMPT, Observed
from lab.calibration.sample import Sample, sample_of
from lab.calibration.steps import OwnStep, own_steps
from lab.distributions import mean_s
from lab.scenario.service import Service
from lab.scenario.steps import CpuStep, WaitStep


def step_times(observed: Observed, path: str, service: str, endpoint: str) -> Sample:
    """Return what a step took: its own rows, or the service's own time of each visit, less what else is known.

    Rows ``SERVICE.work`` tell of steps that do real work, each by the end of its path. Without them, a visit that had
    not ended with the run bounds it from below, unless it may have been waiting for others. Where several steps of the
    endpoint are to be found, such visits do not tell them apart: each has its share by the means that the scenario
    gives.

    Raises:
        NotEnoughData: too few visits.
    """
    steps = own_steps(observed.scenario, service, endpoint)
    step = next(each for each in steps if each.path == path)
    wanted = [each for each in steps if each.path in observed.unknown]
    timed = observed.of(f"{service}.work", path.split(".", 3)[3].removesuffix(".time"))
    if len(timed):
        return sample_of(path, timed["service_time_s"], how=f"work of {service}")
    visits = observed.of(service, endpoint)
    visits = visits[visits["admitted_s"].notna()]
    if any(each.on_miss for each in wanted):
        visits = visits[_missed(observed, visits)]
    others = demands_s(observed, visits, service, endpoint, lambda each: each.path not in observed.unknown)
    complete = np.asarray(visits["outcome"] == "ok")
    held = observed.run.window.end_s - np.asarray(visits["admitted_s"]) - others
    above = held[np.asarray(visits["departure_s"].isna())]
    asks_others = not all(isinstance(each, CpuStep | WaitStep) for each in _steps(observed, service, endpoint))
    share, said = _share(step, wanted)
    return sample_of(
        path,
        (observed.own_s(visits, service) - others)[complete] * share,
        above_s=() if asks_others else above * share,
        how=f"own time of {service}/{endpoint} less its other steps{said}",
    )


def _share(step: OwnStep, wanted: list[OwnStep]) -> tuple[float, str]:
    """Return which part of what several steps took together one of them is taken to have had, and say so."""
    whole_s = sum(mean_s(each.spec.time) for each in wanted)
    if len(wanted) == 1 or whole_s == 0:
        return 1 / len(wanted), ""
    share = mean_s(step.spec.time) / whole_s
    return share, f" (of {len(wanted)} together, by convention {share:.1%} as in the scenario's means)"


def _steps(observed: Observed, service: str, endpoint: str) -> tuple[object, ...]:
    component = observed.scenario.components[service]
    assert isinstance(component, Service)  # the caller has looked it up
    return component.endpoints[endpoint]


def _missed(observed: Observed, visits: pd.DataFrame) -> NDArray[np.bool_]:
    keys = pd.MultiIndex.from_frame(visits[ATTEMPT])
    return np.asarray(observed.missed.reindex(keys, fill_value=False), dtype=bool)


def demands_s(
    observed: Observed, visits: pd.DataFrame, service: str, endpoint: str, counts: Callable[[OwnStep], bool]
) -> NDArray[np.float64]:
    """Return for each visit the sum of the known demands of some of its steps; NaN where they cannot be told.

    Args:
        counts: which of the endpoint's own steps.
    """
    steps = own_steps(observed.scenario, service, endpoint)
    found = np.zeros(len(visits))
    if not any(counts(step) for step in steps):
        return found
    missed = _missed(observed, visits) if any(step.on_miss for step in steps) else np.zeros(len(visits), dtype=bool)
    rows = zip(visits["replication"], visits["request"], visits["attempt"], visits["endpoint"], strict=True)
    for place, (replication, request, attempt, asked) in enumerate(rows):
        own = [slot for slot in observed.demands.of(str(asked), service, endpoint) if slot.kind in ("cpu", "wait")]
        if len(own) != len(steps):
            found[place] = np.nan  # it is called several times, and nobody can tell which call this was
            continue
        for slot, step in zip(own, steps, strict=True):
            if counts(step) and (missed[place] or not step.on_miss):
                found[place] += observed.demands.time_s(slot, replication=replication, request=request, attempt=attempt)
    return found


def cpu_of_steps_s(observed: Observed, service: str) -> pd.Series[float]:
    """Return the CPU time that each visit to a service spent in its ``cpu`` steps, indexed like the visits.

    Its known demands, and what the rows ``SERVICE.work`` tell of those that do real work; where there are no such rows,
    the visit's own time less its waits.
    """
    parts = []
    timed = observed.of(f"{service}.work").groupby(ATTEMPT)["service_time_s"].sum()
    for operation, visits in observed.of(service).groupby("operation", observed=True):
        endpoint = str(operation)
        steps = own_steps(observed.scenario, service, endpoint)
        real = any(_is_cpu(step) and (step.path in observed.unknown or step.is_real) for step in steps)
        if real and timed.empty:
            waits = demands_s(observed, visits, service, endpoint, _is_wait)
            spent = np.maximum(observed.own_s(visits, service) - waits, 0.0)
        else:
            keys = pd.MultiIndex.from_frame(visits[ATTEMPT])
            drawn = demands_s(observed, visits, service, endpoint, lambda step: _is_cpu(step) and not step.is_real)
            spent = drawn + np.asarray(timed.reindex(keys, fill_value=0.0), dtype=np.float64)
        parts.append(pd.Series(np.nan_to_num(spent), index=visits.index))
    return pd.concat(parts) if parts else pd.Series(dtype=float)


def _is_cpu(step: OwnStep) -> bool:
    return isinstance(step.spec, CpuStep)


def _is_wait(step: OwnStep) -> bool:
    return isinstance(step.spec, WaitStep)
