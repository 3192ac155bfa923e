"""Small Runs whose figures can be worked out by hand, for the tests of runs, plots and report."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lab.runs import EVENTS, REQUESTS, SAMPLES, VISITS, Run, Tables

SCENARIO: dict[str, Any] = {
    "name": "small",
    "question": "Is <one> slot enough?",
    "run": {"duration": "10s", "warm_up": "2s"},
    "entry": "edge",
    "components": {
        "edge": {"kind": "load_balancer", "targets": "api"},
        "api": {
            "kind": "service",
            "replicas": 2,
            "endpoints": {
                "read": [
                    {"kind": "cpu"},
                    {"kind": "cached", "cache": "items", "miss": [{"kind": "query", "database": "main"}]},
                ]
            },
        },
        "items": {"kind": "cache"},
        "main": {"kind": "database"},
    },
}


def request(number: int, intended: float, sojourn: float | None, outcome: str = "ok", **other: Any) -> dict[str, Any]:
    """One row of the requests table; ``sojourn`` None leaves it in flight."""
    row = {
        "replication": 0,
        "request": number,
        "endpoint": "read",
        "key": 7,
        "intended_start_s": intended,
        "start_s": intended,
        "end_s": np.nan if sojourn is None else intended + sojourn,
        "sojourn_time_s": np.nan if sojourn is None else sojourn,
        "outcome": "in_flight" if sojourn is None else outcome,
        "attempts": 1,
    }
    return row | other


def visit(
    number: int, component: str, arrival: float, admitted: float | None, departure: float | None, **other: Any
) -> dict[str, Any]:
    """One row of the visits table; the whole time after admission counts as its own service."""
    row = {
        "replication": 0,
        "request": number,
        "attempt": 0,
        "component": component,
        "replica": 0,
        "operation": "read",
        "arrival_s": arrival,
        "admitted_s": np.nan if admitted is None else admitted,
        "departure_s": np.nan if departure is None else departure,
        "waiting_time_s": np.nan if admitted is None else admitted - arrival,
        "service_time_s": np.nan if admitted is None or departure is None else departure - admitted,
        "outcome": "in_flight" if departure is None else "ok" if admitted is not None else "rejected",
        "hit": None,
        "stale": None,
        "abandoned": False,
        "background": False,
    }
    return row | other


def frame_of(table: Any, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The rows as a frame of the table's columns, also when there are none."""
    return table.frame({name: [row[name] for row in rows] for name in table.names})


def run_of(
    requests: list[dict[str, Any]],
    visits: list[dict[str, Any]] | None = None,
    *,
    scenario: dict[str, Any] | None = None,
    **other: Any,
) -> Run:
    """A predicted Run of the rows; ``scenario`` adds to the small one."""
    tables = Tables(
        requests=frame_of(REQUESTS, requests),
        visits=frame_of(VISITS, visits or []),
        samples=frame_of(SAMPLES, other.pop("samples", [])),
        events=frame_of(EVENTS, other.pop("events", [])),
    )
    document = {"world": "predicted", "seed": 1, "provenance": {"lab": "0.1"}} | other
    return Run(scenario=SCENARIO | (scenario or {}), tables=tables, **document)


def busy_run(world: str = "predicted", replications: int = 5, seed: int = 1, count: int = 400) -> Run:
    """A Run with plausible random content: waits at the edge, lookups at the cache, a few timeouts."""
    generator = np.random.default_rng(seed)
    requests, visits = [], []
    for replication in range(replications):
        starts = np.sort(generator.uniform(0, 9.5, count))
        waits, works = generator.exponential(0.01, count), generator.exponential(0.02, count)
        for number in range(count):
            start, wait, work = float(starts[number]), float(waits[number]), float(works[number])
            same = {"replication": replication}
            bad = number % 100 == 99
            requests.append(request(number, start, wait + work, "timeout" if bad else "ok", **same))
            left = start + wait + work
            visits.append(visit(number, "edge", start, start + wait, left, **same))
            hit = bool(generator.random() < 0.7)
            visits.append(visit(number, "items", start + wait, start + wait, left, hit=hit, **same))
    wanted = [
        {"metric": "sojourn_time", "quantile": "99%", "endpoint": "read", "at_most": "200ms"},
        {"metric": "error_ratio", "at_most": "0.1%"},
    ]
    return run_of(requests, visits, scenario={"objectives": wanted}, world=world, seed=seed)
