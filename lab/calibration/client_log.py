"""Calibrating with the client's clock alone: a load tool's log of a service that nobody looks into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.calibration.documenting import frozen
from lab.calibration.fit import fit
from lab.calibration.sample import FEWEST, Sample, sample_of
from lab.calibration.self_check import replayed, residuals
from lab.calibration.steps import own_steps
from lab.errors import NotEnoughData, Unsupported
from lab.runs.importers.answers import plain_name
from lab.runs.run import Run
from lab.scenario.calibration import CalibratedValue, Calibration, as_changes
from lab.scenario.client import Client
from lab.scenario.fronts import service_behind, service_name_behind
from lab.scenario.scenario import Scenario
from lab.scenario.variants import value_at
from lab.units import format_duration

WHY_WIDER = (
    "from the client's clock alone: an endpoint's time holds the way, the framework and whatever was waited for; how "
    "much of it is CPU time is not known, so neither is how it grows with the rate. Each interval spans what requests "
    "took that met no other one and what all of them took"
)


def scenario_of_log(run: Run, *, replicas: int = 1, concurrency: int | None = None) -> Scenario:
    """Return the simplest scenario of a log: a service whose endpoints each wait for one time, at the log's mean rate.

    What only its operator can say (replicas, slots, what is computed) is for you to add before asking what-if.

    Args:
        run: with requests, as ``lab import`` gives it.
        replicas: of the service.
        concurrency: requests that each works on at once; None: no limit is known.
    """
    run = with_plain_names(run)
    means = run.requests[run.requests["outcome"] == "ok"].groupby("endpoint", observed=True)["sojourn_time_s"].mean()
    if means.empty:
        raise NotEnoughData(f"{run.name}: no request was answered, so no endpoint has a time")
    steps = {
        str(endpoint): [{"kind": "wait", "time": format_duration(round(max(float(mean), 1e-6), 6))}]
        for endpoint, mean in means.items()
    }
    service = {"kind": "service", "replicas": replicas, "concurrency": concurrency, "endpoints": steps}
    document = {
        "name": run.name,
        "assumptions": ["Each endpoint holds a slot for the whole of what its clients saw at the log's rate."],
        "workload": _workload(run, tuple(steps)),
        "client": {"round_trip": "0s"},
        "entry": "service",
        "components": {"service": service},
        "run": {**run.scenario["run"], "replications": 20, "seed": 1},
    }
    return Scenario.model_validate(document)


def with_plain_names(run: Run) -> Run:
    """Return a Run whose endpoints are named as scenarios can name them: ``GET /users/{id}`` is ``get_users_id``."""
    named = {str(name): plain_name(str(name)) for name in run.requests["endpoint"].unique()}
    if all(name == plain for name, plain in named.items()):
        return run
    requests = run.requests.assign(endpoint=run.requests["endpoint"].astype(str).map(named))
    return replace(run, tables=replace(run.tables, requests=requests))


def calibrate_from_client(run: Run, scenario: Scenario, parameters: Sequence[str] = ()) -> Calibration:
    """Return the times of endpoints from the client's sojourn times at a low rate.

    The time of a step is the sojourn time less the means of everything else that the scenario has on the way. Requests
    that met no other one at their start give the value, where there are 20 of them; what a timeout or the end of the
    log cut off is counted as longer than that. What the intervals hold, and why they are wide, is in the notes.

    Args:
        run: with requests; endpoints are matched by their plain names.
        scenario: what is known of the service, such as :func:`scenario_of_log` of the log.
        parameters: key paths of ``cpu`` or ``wait`` times at the service behind the entry, one an endpoint; if none is
            given, the only such time of each endpoint that the log has.

    Raises:
        Unsupported: a path is no such time, or several are of one endpoint.
        NotEnoughData: too few answers.
    """
    run = with_plain_names(run)
    service = service_name_behind(scenario, scenario.entry)
    asked = tuple(str(name) for name in run.requests["endpoint"].unique())
    endpoints = {path: path.split(".")[3] for path in parameters or _only_times(scenario, service, asked)}
    _check(scenario, service, endpoints)
    ran = scenario.with_(
        {
            "workload": _workload(run, asked),
            **{f"run.{key}": run.scenario["run"][key] for key in ("duration", "warm_up")},
        }
    )
    rest_s = _rest_s(run, ran.with_(dict.fromkeys(endpoints, "0s")))
    found = {path: _of_endpoint(run, ran.client, path, name, rest_s[name]) for path, name in endpoints.items()}
    fitted = ran.with_(as_changes(found))
    failed = int((~run.requests["outcome"].isin(("ok", "timeout", "in_flight"))).sum())
    notes = [WHY_WIDER, *run.unobserved]
    if failed:
        notes.append(f"{failed} of {len(run.requests)} requests failed or were rejected, and tell no time")
    return frozen(run, fitted, found, source="client", residuals=residuals(run, fitted), notes=tuple(notes))


def _only_times(scenario: Scenario, service: str, asked: Sequence[str]) -> list[str]:
    paths = []
    known = service_behind(scenario, service).endpoints
    for endpoint in asked:
        if endpoint not in known:
            raise Unsupported(
                f"components.{service}.endpoints: the log asks for {endpoint!r}, which the scenario lacks; add it, or "
                "begin with scenario_of_log(run)"
            )
        steps = own_steps(scenario, service, endpoint)
        if len(steps) != 1:
            raise Unsupported(
                f"components.{service}.endpoints.{endpoint}: has {len(steps)} times of its own; name the one to find"
            )
        paths.append(steps[0].path)
    return paths


def _check(scenario: Scenario, service: str, endpoints: dict[str, str]) -> None:
    for path, endpoint in endpoints.items():
        value_at(scenario.to_document(), path)
        if path not in [step.path for step in own_steps(scenario, service, endpoint)]:
            raise Unsupported(
                f"{path}: the client's clock tells only of cpu and wait times at {service!r}; calibrate the rest with "
                "server-side spans"
            )
    if len(set(endpoints.values())) < len(endpoints):
        raise Unsupported("of each endpoint the client's clock tells one time alone; name one path an endpoint")


def _workload(run: Run, endpoints: Sequence[str]) -> dict[str, object]:
    counts = run.requests["endpoint"].astype(str).value_counts()
    shares = {name: round(100 * counts.get(name, 0) / counts.sum(), 6) for name in endpoints}
    largest = max(shares, key=lambda name: shares[name])
    shares[largest] = round(100 - sum(share for name, share in shares.items() if name != largest), 6)
    rate = len(run.requests) / len(run.replications) / run.window.end_s
    return {
        "kind": "open",
        "arrival_rate": f"{rate:.6g}/s",
        "endpoints": {name: f"{share}%" for name, share in shares.items()},
    }


def _rest_s(run: Run, without: Scenario) -> dict[str, float]:
    """Return the mean sojourn time of each endpoint in the simulator when the times to find take none."""
    requests = replayed(run, without).requests
    answered = requests[requests["outcome"] == "ok"]
    means = answered.groupby(answered["endpoint"].astype(str))["sojourn_time_s"].mean()
    return {str(endpoint): float(mean) for endpoint, mean in means.items()}


def _of_endpoint(run: Run, client: Client, path: str, endpoint: str, rest_s: float) -> CalibratedValue:
    requests = run.requests
    held = run.window.holds(np.asarray(requests["intended_start_s"]))
    alone = _met_nobody(requests)
    mine = held & np.asarray((requests["endpoint"] == endpoint) & (requests["attempts"] == 1))
    everyone = _sample(run, client, path, requests[mine], rest_s, "requests")
    whole = fit(path, everyone)
    if int((mine & alone & np.asarray(requests["outcome"] == "ok")).sum()) < FEWEST:
        return whole
    chosen = fit(path, _sample(run, client, path, requests[mine & alone], rest_s, "requests that met no other one"))
    return chosen.model_copy(update={"low": min(chosen.low, whole.low), "high": max(chosen.high, whole.high)})


def _sample(run: Run, client: Client, path: str, requests: pd.DataFrame, rest_s: float, who: str) -> Sample:
    ok, cut = requests["outcome"] == "ok", requests["outcome"] == "timeout"
    open_ = requests["outcome"] == "in_flight"
    above = pd.concat(
        [requests["sojourn_time_s"][cut], run.window.end_s - requests["intended_start_s"][open_]], ignore_index=True
    )
    how = f"sojourn times of {who} less {rest_s * 1e3:.3g} ms for all else on the way"
    return sample_of(path, requests["sojourn_time_s"][ok] - rest_s, above_s=above - rest_s, how=how)


def _met_nobody(requests: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which requests found none other under way when they were sent."""
    found = np.ones(len(requests), dtype=bool)
    for _, own in requests.groupby("replication"):
        places = requests.index.get_indexer(own.index)
        starts = own["start_s"].fillna(own["intended_start_s"]).to_numpy()
        ends = own["end_s"].fillna(np.inf).to_numpy()
        order = np.argsort(starts, kind="stable")
        busy_until = np.concatenate(([-np.inf], np.maximum.accumulate(ends[order])[:-1]))
        found[places[order]] = busy_until <= starts[order]
    return found
