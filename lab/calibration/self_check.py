"""The self-check: does the simulator with the calibrated values reproduce the run that they were fitted to?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lab.calibration.alone import undisturbed
from lab.calibration.fit import constant, empirical
from lab.calibration.observed import FRAMEWORK
from lab.distributions import Distribution, Empirical, mean_s, scaled
from lab.errors import NotEnoughData, UsageError
from lab.experiment.simulate import simulate
from lab.runs.run import Run
from lab.scenario.calibration import CalibratedValue, Residual
from lab.scenario.demands import DemandSlot, demand_slots
from lab.scenario.fronts import service_behind, service_name_behind
from lab.scenario.scenario import Scenario
from lab.scenario.shared_luck import shared_streams
from lab.scenario.workload import OpenWorkload, ReplayWorkload

_UNPAIRED = 10  # replications, where the clients' answers decide when they ask


def at_means(scenario: Scenario, found: Mapping[str, CalibratedValue], **others: str) -> Scenario:
    """Return the scenario with every calibrated time at its mean, so that no draw of the simulator adds noise to it.

    Args:
        scenario: what was run.
        found: what was found.
        others: key path to value.
    """
    times = {path: constant(each.mean) for path, each in found.items() if not isinstance(each.value, int | float)}
    return scenario.with_({path: each.model_dump(mode="json") for path, each in times.items()} | others)


def bias_s(run: Run, scenario: Scenario, found: Mapping[str, CalibratedValue]) -> float:
    """Return how much longer the measured requests took on average than the simulator makes them.

    Every calibrated time stands at its mean here; what the fits took from the same requests cancels out. Where both
    worlds are sent the same requests, and some of them ask for nothing but what they were sent, those of them count
    that had the way to themselves: how long others hold one up is the model's to say, and no part of the way should
    make up for it.
    """
    predicted = replayed(run, at_means(scenario, found))
    measured, simulated = _answered(run), _answered(predicted)
    if not is_paired(scenario):
        return float(measured["sojourn_time_s"].mean() - simulated["sojourn_time_s"].mean())
    known = measured[measured["endpoint"].isin(_known_endpoints(scenario, found))]
    measured = measured if known.empty else undisturbed(run.requests, known)
    both = measured.merge(simulated[["request", "sojourn_time_s"]], on="request", suffixes=("", "_simulated"))
    if both.empty:
        raise NotEnoughData("no request was answered at its first attempt in both worlds; calibrate at a lower rate")
    return float((both["sojourn_time_s"] - both["sojourn_time_s_simulated"]).mean())


def _known_endpoints(scenario: Scenario, found: Mapping[str, CalibratedValue]) -> list[str]:
    """Return the endpoints whose every demand was sent, and none of them calibrated."""
    sent = shared_streams(scenario)
    fitted = {tuple(path.split(".")[1:4:2]) for path in found}  # component and endpoint, or query

    def is_known(slot: DemandSlot) -> bool:
        return slot.stream in sent and (slot.component, slot.operation) not in fitted

    endpoints = service_behind(scenario, scenario.entry).endpoints
    return [endpoint for endpoint in endpoints if all(map(is_known, demand_slots(scenario, endpoint)))]


def held_up_s(run: Run, scenario: Scenario, found: Mapping[str, CalibratedValue]) -> pd.Series[float]:
    """Return by request how long the event loop was busy with others before it began on it, in the simulator.

    A replica cannot see that wait, so what its spans leave over holds it; the simulator adds it by itself. Empty where
    the requests are not the same in both worlds.
    """
    if not is_paired(scenario):
        return pd.Series(dtype=float)
    visits = replayed(run, at_means(scenario, found, **{"client.round_trip": "0s"})).visits
    service = service_name_behind(scenario, scenario.entry)
    loop = visits[(visits["component"] == f"{service}.event_loop") & (visits["attempt"] == 0)]
    begun_s = visits[visits["component"] == service].groupby("request")["admitted_s"].min()
    spent_s = loop["departure_s"] - loop["arrival_s"] - loop["service_time_s"].fillna(0.0)
    before = (loop["operation"] == "turn") & (loop["arrival_s"] <= loop["request"].map(begun_s))
    counts = before | loop["operation"].isin(FRAMEWORK)
    return spent_s[counts].groupby(loop["request"][counts]).sum()


def found_busy(run: Run, scenario: Scenario, found: Mapping[str, CalibratedValue], service: str) -> pd.Series[bool]:
    """Return by request whether it came while its process was computing for another, in the simulator.

    A replica cannot see that: it knows of a request only once it has read it.

    Raises:
        UsageError: the requests are not the same in both worlds, or the scenario does not tell the two overheads apart.
    """
    path = f"components.{service}.busy_overhead"
    if not is_paired(scenario):
        raise UsageError(
            f"{path}: whom answers decide when to come cannot be replayed; calibrate with an open workload"
        )
    visits = replayed(run, at_means(scenario, found)).visits
    loop = visits[(visits["component"] == f"{service}.event_loop") & (visits["attempt"] == 0)]
    loop = loop[loop["operation"].isin(("overhead", "busy_overhead"))].drop_duplicates("request")
    if set(loop["operation"]) != {"overhead", "busy_overhead"}:
        raise UsageError(
            f"{path}: the simulator shows no request that came to a busy process beside those that came to an idle "
            "one; give overhead and busy_overhead first guesses above 0s in the scenario"
        )
    return loop.set_index("request")["operation"] == "busy_overhead"


def shifted(value: Distribution, by_s: float) -> Distribution:
    """Return a distribution whose mean is ``by_s`` longer; 0 s where nothing is left of it.

    Observed times are all moved by as much, down to 0 s at most; a family keeps its shape.
    """
    mean = mean_s(value)
    if mean + by_s <= 0:
        return constant(0.0)
    if mean == 0:
        return constant(by_s)
    if not isinstance(value, Empirical):
        return scaled(value, (mean + by_s) / mean)
    moved = np.maximum(np.array(value.values) + by_s, 0.0)
    return empirical(moved * (mean + by_s) / moved.mean(), np.empty(0))


def residuals(run: Run, scenario: Scenario) -> tuple[Residual, ...]:
    """Return mean, median and p95 of the sojourn time in both worlds, over all requests and by endpoint."""
    predicted = replayed(run, scenario)
    measured, simulated = _answered(run), _answered(predicted)
    endpoints = sorted(measured["endpoint"].astype(str).unique())
    found = []
    for subject in ["all", *(endpoints if len(endpoints) > 1 else [])]:
        ours, theirs = (_of(frame, subject) for frame in (simulated, measured))
        if ours.empty or theirs.empty:
            continue
        for name, figure in (("mean", ours.mean()), ("p50", ours.quantile(0.5)), ("p95", ours.quantile(0.95))):
            there = theirs.mean() if name == "mean" else theirs.quantile(float(name[1:]) / 100)
            label = name if subject == "all" else f"{name}@{subject}"
            found.append(Residual(figure=label, predicted_s=float(figure), measured_s=float(there)))
    return tuple(found)


def _of(frame: pd.DataFrame, endpoint: str) -> pd.Series[float]:
    return frame["sojourn_time_s"] if endpoint == "all" else frame["sojourn_time_s"][frame["endpoint"] == endpoint]


def replayed(run: Run, scenario: Scenario) -> Run:
    """Return the prediction of the requests of a Run's first replication, or of others where answers decide when."""
    options: dict[str, Any] = {"n_jobs": 1, "progress": False, "allow_unstable": True}
    if is_paired(scenario):
        return simulate(scenario, seed=run.seed or scenario.run.seed, replay=run.only(run.replications[0]), **options)
    return simulate(scenario, seed=run.seed or scenario.run.seed, replications=_UNPAIRED, **options)


def is_paired(scenario: Scenario) -> bool:
    """Whether both worlds are sent the same requests: where no answer decides when the next one comes."""
    return isinstance(scenario.workload, OpenWorkload | ReplayWorkload)


def _answered(run: Run) -> pd.DataFrame:
    requests = run.requests
    kept = run.window.holds(requests["intended_start_s"].to_numpy()) & (requests["outcome"] == "ok")
    return requests[kept & (requests["attempts"] == 1)]
