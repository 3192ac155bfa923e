"""Figures over time: areas are exact, bins are half-open, nothing is lost between them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import DomainError
from lab.runs.areas import areas, peak
from lab.runs.timeline import bin_edges
from lab.runs.window import Window
from tests.unit.runs_frames import busy_run, request, run_of, visit

_INTERVALS = st.lists(st.tuples(st.floats(0, 100), st.floats(0, 50)), max_size=30)
_EDGES = st.lists(st.floats(0, 200), min_size=2, max_size=20).map(sorted)


def _arrays(intervals: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    begins = np.array([begin for begin, _ in intervals])
    return begins, np.array([begin + length for begin, length in intervals])


@given(_INTERVALS, st.integers(1, 40))
def test_areas_add_up_to_the_durations(intervals: list[tuple[float, float]], bins: int) -> None:
    """Whatever the bins, the sum of the areas is the sum of the durations that they cover."""
    begins, ends = _arrays(intervals)
    assert areas(begins, ends, np.linspace(0, 150, bins + 1)).sum() == pytest.approx((ends - begins).sum(), abs=1e-6)


@given(_INTERVALS, _EDGES)
def test_each_area_is_the_overlap_with_its_bin(intervals: list[tuple[float, float]], edges: list[float]) -> None:
    """Each area equals the overlaps summed one by one, the slow and plain way."""
    begins, ends = _arrays(intervals)
    plain = [
        sum(max(0.0, min(end, high) - max(begin, low)) for begin, end in zip(begins, ends, strict=True))
        for low, high in pairwise(edges)
    ]
    assert areas(begins, ends, np.array(edges)) == pytest.approx(plain, abs=1e-6)


@given(_INTERVALS)
def test_peak_is_the_most_that_overlap(intervals: list[tuple[float, float]]) -> None:
    """The peak equals the largest count over all beginnings, where alone the number can rise."""
    begins, ends = _arrays(intervals)
    there = [(b, e) for b, e in zip(begins, ends, strict=True) if e > b]
    plain = max((sum(b <= moment < e for b, e in there) for moment, _ in there), default=0)
    assert peak(begins, ends, start_s=0.0, end_s=1000.0) == plain


def test_peak_sees_only_the_window() -> None:
    """Three overlap before the window, one within; an open interval counts."""
    begins, ends = np.array([0.0, 0.0, 0.0]), np.array([1.0, 2.0, np.inf])
    assert peak(begins, ends, start_s=0.0, end_s=9.0) == 3
    assert peak(begins, ends, start_s=2.0, end_s=9.0) == 1


def _value(run, metric: str, time_s: float, subject: str = "all", bin_s: float = 1.0) -> float:
    frame = run.timeline(bin_s)
    row = frame[(frame["metric"] == metric) & (frame["subject"] == subject) & (frame["time_s"] == time_s)]
    assert len(row) == 1
    return float(row["value"].iloc[0])


ROWS = [request(1, 0.2, 0.1), request(2, 0.6, 0.3), request(3, 0.9, 0.3, "error"), request(4, 1.0, None)]


def test_requests_fall_into_half_open_bins() -> None:
    """Request 3 arrives in the first second and fails in the second; request 4 arrives at 1.0 s, in the second bin."""
    run = run_of(ROWS)
    assert [_value(run, "arrival_rate_per_s", t) for t in (0.0, 1.0, 2.0)] == [3, 1, 0]
    assert [_value(run, "throughput_per_s", t) for t in (0.0, 1.0)] == [2, 1]
    assert [_value(run, "goodput_per_s", t) for t in (0.0, 1.0)] == [2, 0]
    assert [_value(run, "errors_per_s", t) for t in (0.0, 1.0)] == [0, 1]


def test_rates_take_the_true_width_of_the_last_bin() -> None:
    """Ten seconds in bins of 4 s: the last is 2 s wide, and one arrival in it is a rate of a half."""
    run = run_of([*ROWS, request(5, 9.0, 0.1)])
    assert _value(run, "arrival_rate_per_s", 8.0, bin_s=4.0) == 0.5
    assert bin_edges(Window(start_s=0, end_s=10), 4.0).tolist() == [0, 4, 8, 10]
    assert len(bin_edges(Window(start_s=0, end_s=0.3), 0.1)) == 4  # no sliver of a bin from rounding


def test_sojourn_times_of_a_bin_without_answers_are_absent() -> None:
    """A bin in which nobody was answered ok has no row; 0.0 would read as instant answers."""
    frame = run_of(ROWS).timeline()
    p50 = frame[frame["metric"] == "sojourn_time_s_p50"]
    assert p50["time_s"].tolist() == [0.0]
    assert p50["value"].tolist() == [pytest.approx(0.2)]


def test_quantiles_of_bins_are_those_of_numpy() -> None:
    """The vectorised quantiles equal numpy's, bin by bin, in each replication."""
    run = busy_run(replications=2)
    frame = run.timeline(0.5)
    for _, row in frame[frame["metric"] == "sojourn_time_s_p95"].iterrows():
        own = run.requests[(run.requests["replication"] == row["replication"]) & (run.requests["outcome"] == "ok")]
        inside = own["intended_start_s"].between(row["time_s"], row["time_s"] + 0.5, inclusive="left")
        assert row["value"] == pytest.approx(np.quantile(own.loc[inside, "sojourn_time_s"], 0.95))


def test_numbers_of_components_and_hits() -> None:
    """A wait from 0.5 to 1.25 s is 0.5 of the first second and 0.25 of the next; hits count where looked up."""
    visits = [
        visit(1, "api", 0.5, 1.25, 2.0),
        visit(1, "items", 1.3, 1.3, 1.4, hit=True),
        visit(2, "items", 1.5, 1.5, 1.6, hit=False),
    ]
    run = run_of(ROWS, visits)
    assert [_value(run, "number_waiting_mean", t, "api") for t in (0.0, 1.0, 2.0)] == [0.5, 0.25, 0]
    assert [_value(run, "number_in_service_mean", t, "api") for t in (0.0, 1.0)] == [0, 0.75]
    assert _value(run, "hit_ratio", 1.0, "items") == 0.5
    assert len(run.timeline().query("metric == 'hit_ratio'")) == 1


def test_the_timeline_agrees_with_the_metrics() -> None:
    """The mean over time of the bins is the figure of the whole run."""
    run = busy_run()
    bins = run.timeline(0.5).query("metric == 'number_waiting_mean' and subject == 'edge'")
    whole = run.metrics(warm_up=False).query("metric == 'number_waiting_mean' and subject == 'edge'")
    assert bins.groupby("replication")["value"].mean().to_numpy() == pytest.approx(whole["value"].to_numpy())


@pytest.mark.parametrize("bin_s", [0.0, -1.0, float("nan"), float("inf"), 1e-9])
def test_impossible_bins_are_refused(bin_s: float) -> None:
    """A bin needs a positive width, and not so small a one that memory runs out."""
    with pytest.raises(DomainError, match="bin_s"):
        run_of(ROWS).timeline(bin_s)
