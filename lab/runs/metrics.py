"""The figures of a run, one row a (replication, metric, subject), from raw observations in one pass.

Counts and ratios are over the requests whose intended start lies in the window; throughput and goodput over
the answers that came in the window (over a transient the two differ, and that is the lesson). A figure that
the data cannot give has no row: it is never 0.0.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from lab.errors import NotEnoughData
from lab.runs.aggregates import Aggregates
from lab.runs.answers import share_of_hits
from lab.runs.areas import areas, service_intervals, waiting_intervals
from lab.runs.invocations import INVOCATIONS, PLATFORM
from lab.runs.window import Window, by_replication, request_rows, rows_of

COLUMNS = ("replication", "metric", "subject", "value", "unit")
ALL = "all"

UNITS = {
    "arrival_rate_per_s": "1/s",
    "throughput_per_s": "1/s",
    "goodput_per_s": "1/s",
    "sojourn_time_s_mean": "s",
    "sojourn_time_s_p50": "s",
    "sojourn_time_s_p95": "s",
    "sojourn_time_s_p99": "s",
    "error_ratio": "",
    "timeout_ratio": "",
    "rejected_ratio": "",
    "attempts_mean": "",
    "in_flight": "",
    "visits_per_s": "1/s",
    "hit_ratio": "",
    "full_answer_ratio": "",
    "stale_ratio": "",
    "waiting_time_s_mean": "s",
    "waiting_time_s_p95": "s",
    "service_time_s_mean": "s",
    "number_waiting_mean": "",
    "number_in_service_mean": "",
    "replica_seconds": "s",
    "invocations": "",
    "gb_seconds": "GB s",
    "cost_per_hour": "",  # of money: the currency is that of the price list
    "cost_per_million_answers": "",
}

_NEEDED = ["arrival_s", "admitted_s", "departure_s", "waiting_time_s", "service_time_s", "hit", "stale"]
_QUANTILES = {"sojourn_time_s_p50": 0.5, "sojourn_time_s_p95": 0.95, "sojourn_time_s_p99": 0.99}

Figures = Iterator[tuple[str, str, float]]  # metric, subject, value


def metrics_frame(*, requests: pd.DataFrame, visits: pd.DataFrame | Aggregates, window: Window) -> pd.DataFrame:
    """Return the figures of every replication as a tidy frame.

    Per endpoint and for ``all``:
        arrival_rate_per_s, throughput_per_s (finished, whatever the outcome), goodput_per_s (ok),
        sojourn_time_s_mean, _p50, _p95, _p99 (of ok answers; linear quantiles of the raw times), error_ratio
        (not ok / finished), timeout_ratio, rejected_ratio, attempts_mean (per finished request), in_flight
        (count).
    Per component:
        visits_per_s (of the requests that were meant to start in the window: queries of a database, fetches from an
        origin), hit_ratio (visits that looked a key up; of a platform for functions: that found a warm process),
        full_answer_ratio (of a service: its parallel steps that do not simply wait for all), invocations
        (of a serverless service: requests that were given a process), stale_ratio (reads of a database with replicas,
        answers from a cdn that may serve stale ones),
        waiting_time_s_mean, _p95 and service_time_s_mean (admitted visits), number_waiting_mean and
        number_in_service_mean (time-weighted over the window; a place counts as taken while the visit awaits
        what it called).

    Args:
        requests: the requests table of one or more replications.
        visits: the visits table, or the aggregates that were kept instead: then waiting_time_s_p95 is within 0.2 % of
            its value, the rest is the same.
        window: the stretch that counts.

    Returns:
        Columns replication, metric, subject, value, unit.

    Raises:
        NotEnoughData: a replication has no request in the window.
    """
    rows: list[tuple[int, str, str, float, str]] = []
    for replication, own in by_replication(requests):
        cohort = window.holds(np.asarray(own["intended_start_s"]))
        if not cohort.any():
            raise NotEnoughData(
                f"replication {replication}: none of its {len(own)} requests was meant to start in "
                f"[{window.start_s:g} s, {window.end_s:g} s), "
                "so there is nothing to sum up; lengthen the run or shorten the warm-up"
            )
        if isinstance(visits, Aggregates):
            of_components = visits.figures(replication, window)
        else:
            of_components = _all_components(own, rows_of(visits, replication), window)
        figures = [*_all_requests(own, window), *of_components]
        rows.extend((replication, metric, subject, value, UNITS[metric]) for metric, subject, value in figures)
    if not rows:
        raise NotEnoughData("the run has no requests, so there is nothing to sum up")
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _all_requests(requests: pd.DataFrame, window: Window) -> Figures:
    yield from _of_requests(requests, ALL, window)
    for endpoint in requests["endpoint"].cat.categories:
        own = requests[np.asarray(requests["endpoint"] == endpoint)]
        yield from _of_requests(own, str(endpoint), window)


def _of_requests(requests: pd.DataFrame, subject: str, window: Window) -> Figures:
    outcome = requests["outcome"]
    ended_in_window = window.holds(np.asarray(requests["end_s"]))
    ok = np.asarray(outcome == "ok")
    cohort = window.holds(np.asarray(requests["intended_start_s"]))
    finished = cohort & np.asarray(outcome != "in_flight")
    yield "arrival_rate_per_s", subject, float(cohort.sum() / window.length_s)
    yield "throughput_per_s", subject, float(ended_in_window.sum() / window.length_s)
    yield "goodput_per_s", subject, float((ended_in_window & ok).sum() / window.length_s)
    yield "in_flight", subject, float(cohort.sum() - finished.sum())
    if finished.any():
        yield "error_ratio", subject, float(1 - ok[finished].mean())
        yield "timeout_ratio", subject, float(np.asarray(outcome == "timeout")[finished].mean())
        yield "rejected_ratio", subject, float(np.asarray(outcome == "rejected")[finished].mean())
        yield "attempts_mean", subject, float(np.asarray(requests["attempts"])[finished].mean())
    times = np.asarray(requests["sojourn_time_s"])[cohort & ok]
    if times.size:
        yield "sojourn_time_s_mean", subject, float(times.mean())
        for (metric, _), value in zip(_QUANTILES.items(), np.quantile(times, list(_QUANTILES.values())), strict=True):
            yield metric, subject, float(value)


def _all_components(requests: pd.DataFrame, visits: pd.DataFrame, window: Window) -> Figures:
    counts = window.holds(np.asarray(requests["intended_start_s"]))[request_rows(requests, visits)]
    components = visits["component"]
    visits = visits[_NEEDED]
    for component in (str(name) for name in components.cat.categories):
        own = np.asarray(components == component)
        yield "visits_per_s", component, float((own & counts).sum() / window.length_s)
        yield from _of_visits(visits[own & counts], component)
        yield from _numbers_present(visits[own], component, window)


def _of_visits(visits: pd.DataFrame, subject: str) -> Figures:
    hit = visits["hit"].dropna()
    if len(hit):
        yield *share_of_hits(subject), float(hit.astype(bool).mean())
    stale = visits["stale"].dropna()
    if len(stale):
        yield "stale_ratio", subject, float(stale.astype(bool).mean())
    admitted = visits[np.asarray(visits["admitted_s"].notna())]
    if subject.endswith(PLATFORM):
        yield INVOCATIONS, subject.removesuffix(PLATFORM), float(len(admitted))
    if len(admitted):
        waiting = np.asarray(admitted["waiting_time_s"])
        yield "waiting_time_s_mean", subject, float(waiting.mean())
        yield "waiting_time_s_p95", subject, float(np.quantile(waiting, 0.95))
    service = admitted["service_time_s"].dropna()
    if len(service):
        yield "service_time_s_mean", subject, float(service.mean())


def _numbers_present(visits: pd.DataFrame, subject: str, window: Window) -> Figures:
    edges = np.array([window.start_s, window.end_s])
    for metric, (begins, ends) in (
        ("number_waiting_mean", waiting_intervals(visits)),
        ("number_in_service_mean", service_intervals(visits)),
    ):
        yield metric, subject, float(areas(begins, ends, edges)[0] / window.length_s)


def per_replication(metrics: pd.DataFrame, *, metric: str, subject: str = ALL) -> pd.Series[float]:
    """Return one figure's values, indexed by replication.

    Raises:
        NotEnoughData: no replication has it.
    """
    own = metrics[(metrics["metric"] == metric) & (metrics["subject"] == subject)]
    if own.empty:
        there = sorted(set(metrics.loc[metrics["metric"] == metric, "subject"]))
        what = (
            f"it is known for {', '.join(there)}"
            if there
            else f"the metrics are {', '.join(sorted(set(metrics['metric'])))}"
        )
        raise NotEnoughData(f"no replication has {metric} of {subject!r}: {what}")
    return own.set_index("replication")["value"].astype(float)
