"""A run over time: figures a bin, areas exact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from lab.errors import DomainError, NotEnoughData
from lab.runs.aggregates import Aggregates
from lab.runs.answers import share_of_hits
from lab.runs.areas import areas, service_intervals, waiting_intervals
from lab.runs.metrics import ALL
from lab.runs.window import Window, by_replication, rows_of

COLUMNS = ("replication", "time_s", "metric", "subject", "value", "unit")
UNITS = {
    "arrival_rate_per_s": "1/s",
    "throughput_per_s": "1/s",
    "goodput_per_s": "1/s",
    "errors_per_s": "1/s",
    "sojourn_time_s_p50": "s",
    "sojourn_time_s_p95": "s",
    "number_waiting_mean": "",
    "number_in_service_mean": "",
    "hit_ratio": "",
    "full_answer_ratio": "",
}
MAX_BINS = 1_000_000
_NEEDED = ["arrival_s", "admitted_s", "departure_s", "hit"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Series = Iterator[tuple[str, str, Floats]]  # metric, subject, one value a bin (NaN where there is none)


def timeline_frame(
    *, requests: pd.DataFrame, visits: pd.DataFrame | Aggregates, window: Window, bin_s: float
) -> pd.DataFrame:
    """Return the figures of each replication and bin.

    Arrivals count where they were meant to start, answers (throughput, goodput, errors) where they came, and
    sojourn times (of ok answers) at their intended start: what a client met who came at that moment. Numbers
    waiting and in service are areas over the bin; hit ratios are over the lookups that arrived in it, and full answers
    over the parallel steps that began in it. A bin without an ok answer (without a lookup) has no row for its sojourn
    times (hit ratio).

    Args:
        requests: the requests table.
        visits: the visits table, or the aggregates that were kept instead.
        window: the stretch to cut into bins.
        bin_s: width of a bin in seconds, > 0; the last may be narrower, and rates take its true width.

    Returns:
        Columns replication, time_s (where the bin begins), metric, subject (all, or a component), value,
        unit.

    Raises:
        DomainError: the bin is not a positive number, or is so small that there are more than a million.
        NotEnoughData: the run has no requests, or kept aggregates of wider bins than these.
    """
    edges = bin_edges(window, bin_s)
    labels: list[tuple[int, str, str, str]] = []
    times: list[Floats] = []
    series: list[Floats] = []
    for replication, own in by_replication(requests):
        if isinstance(visits, Aggregates):
            of_components = visits.over_time(replication, edges)
        else:
            of_components = _of_components(rows_of(visits, replication), edges)
        for metric, subject, values in (*_of_requests(own, edges), *of_components):
            there = ~np.isnan(values)
            labels.append((replication, metric, subject, UNITS[metric]))
            times.append(edges[:-1][there])
            series.append(values[there])
    if not labels:
        raise NotEnoughData("the run has no requests, so it has no timeline")
    # One frame in all: making one for each of them takes longer than all the figures.
    rows = [len(values) for values in series]
    replications, metrics, subjects, units = (
        np.repeat(np.array(column, dtype=object), rows) for column in zip(*labels, strict=True)
    )
    return pd.DataFrame(
        {
            "replication": replications.astype(np.int64),
            "time_s": np.concatenate(times),
            "metric": metrics,
            "subject": subjects,
            "value": np.concatenate(series),
            "unit": units,
        }
    )


def bin_edges(window: Window, bin_s: float) -> Floats:
    """Return the edges of the bins, from the window's start to its end.

    >>> bin_edges(Window(start_s=0.0, end_s=2.5), 1.0).tolist()
    [0.0, 1.0, 2.0, 2.5]
    """
    if not (np.isfinite(bin_s) and bin_s > 0):
        raise DomainError(f"bin_s is {bin_s!r}: a bin needs a positive width in seconds, such as 1.0")
    if window.length_s / bin_s > MAX_BINS:
        raise DomainError(
            f"bin_s of {bin_s:g} s cuts {window.length_s:g} s into more than {MAX_BINS:,} bins; take wider ones"
        )
    count = max(1, int(np.ceil(window.length_s / bin_s - 1e-9)))
    return np.append(window.start_s + bin_s * np.arange(count), window.end_s)


def _of_requests(requests: pd.DataFrame, edges: Floats) -> Series:
    intended, ended = np.asarray(requests["intended_start_s"]), np.asarray(requests["end_s"])
    ok = np.asarray(requests["outcome"] == "ok")
    finished = np.asarray(requests["outcome"] != "in_flight")
    widths = np.diff(edges)
    yield "arrival_rate_per_s", ALL, _counts(intended, edges) / widths
    yield "throughput_per_s", ALL, _counts(ended[finished], edges) / widths
    yield "goodput_per_s", ALL, _counts(ended[ok], edges) / widths
    yield "errors_per_s", ALL, _counts(ended[finished & ~ok], edges) / widths
    p50, p95 = _quantiles(intended[ok], np.asarray(requests["sojourn_time_s"])[ok], edges, (0.5, 0.95))
    yield "sojourn_time_s_p50", ALL, p50
    yield "sojourn_time_s_p95", ALL, p95


def _of_components(visits: pd.DataFrame, edges: Floats) -> Series:
    widths = np.diff(edges)
    for component in (str(name) for name in visits["component"].cat.categories):
        own = visits.loc[np.asarray(visits["component"] == component), _NEEDED]
        yield "number_waiting_mean", component, areas(*waiting_intervals(own), edges) / widths
        yield "number_in_service_mean", component, areas(*service_intervals(own), edges) / widths
        looked_up = own[np.asarray(own["hit"].notna())]
        if len(looked_up):
            arrivals, hits = np.asarray(looked_up["arrival_s"]), np.asarray(looked_up["hit"].astype(bool))
            lookups = _counts(arrivals, edges)
            yield (
                *share_of_hits(component),
                np.divide(
                    _counts(arrivals[hits], edges),
                    lookups,
                    out=np.full(len(lookups), np.nan),
                    where=lookups > 0,
                ),
            )


def _bins(times: Floats, edges: Floats) -> np.ndarray[Any, Any]:
    """The bin of each time; -1 before the first edge and ``len(edges) - 1`` from the last on."""
    return np.searchsorted(edges, times, side="right") - 1


def _counts(times: Floats, edges: Floats) -> Floats:
    bins = _bins(times, edges)
    inside = bins[(bins >= 0) & (bins < len(edges) - 1)]
    return np.bincount(inside, minlength=len(edges) - 1).astype(float)


def _quantiles(times: Floats, values: Floats, edges: Floats, wanted: tuple[float, ...]) -> Floats:
    """One row a quantile, one column a bin; linear between order statistics, as numpy does by default."""
    bins = _bins(times, edges)
    inside = (bins >= 0) & (bins < len(edges) - 1)
    bins, values = bins[inside], values[inside]
    order = np.lexsort((values, bins))
    ordered = values[order]
    counts = np.bincount(bins, minlength=len(edges) - 1)
    firsts = np.cumsum(counts) - counts
    result = np.full((len(wanted), len(counts)), np.nan)
    filled = counts > 0
    for row, quantile in enumerate(wanted):
        place = quantile * (counts[filled] - 1)
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, counts[filled] - 1)
        below, above = ordered[firsts[filled] + low], ordered[firsts[filled] + high]
        result[row, filled] = below + (above - below) * (place - low)
    return result
