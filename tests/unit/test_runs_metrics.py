"""The figures of small runs, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lab.errors import DomainError, NotEnoughData
from lab.theory.intervals import mean_interval, prediction_interval
from tests.unit.runs_frames import request, run_of, visit

# The window is [2 s, 10 s): 8 s. Request 0 lies in the warm-up and ends in the window; 6 lies beyond the duration.
REQUESTS = [
    request(0, 1.0, 1.5),
    request(1, 2.0, 0.1),
    request(2, 3.0, 0.2, endpoint="write"),
    request(3, 4.0, 0.3),
    request(4, 5.0, 1.0, "timeout", attempts=3),
    request(5, 9.9, 0.4, "rejected"),
    request(6, 10.0, 0.1),
    request(7, 6.0, None),
]


def test_rates_count_answers_that_came_in_the_window() -> None:
    """Arrivals count by intended start, answers by their end: 1.0+1.5 s counts, 9.9+0.4 s and 10 s do not."""
    run = run_of(REQUESTS)
    assert run.value("arrival_rate_per_s") == 6 / 8
    assert run.value("throughput_per_s") == 5 / 8  # requests 0 to 4
    assert run.value("goodput_per_s") == 4 / 8
    assert run.value("goodput_per_s", "write") == 1 / 8


def test_ratios_are_over_the_finished_requests_of_the_window() -> None:
    """Five of the six requests of the window finished: three ok, one timeout, one rejected; one is in flight."""
    run = run_of(REQUESTS)
    assert run.value("error_ratio") == pytest.approx(2 / 5)
    assert run.value("timeout_ratio") == 1 / 5
    assert run.value("rejected_ratio") == 1 / 5
    assert run.value("attempts_mean") == (1 + 1 + 1 + 3 + 1) / 5
    assert run.value("in_flight") == 1
    assert run.value("error_ratio", "write") == 0


def test_sojourn_times_are_of_ok_answers() -> None:
    """Mean and linear quantiles of 0.1, 0.2, 0.3 s; the timeout's 1 s does not enter."""
    run = run_of(REQUESTS)
    assert run.value("sojourn_time_s_mean") == pytest.approx(0.2)
    assert run.value("sojourn_time_s_p50") == pytest.approx(0.2)
    assert run.value("sojourn_time_s_p95") == pytest.approx(0.29)
    assert run.value("sojourn_time_s_p99") == pytest.approx(0.298)
    assert run.value("sojourn_time_s_p99", "write") == pytest.approx(0.2)


def test_the_warm_up_can_be_kept() -> None:
    """With the warm-up the window is the whole duration, so request 0 counts too."""
    frame = run_of(REQUESTS).metrics(warm_up=False).set_index(["metric", "subject"])["value"]
    assert frame["arrival_rate_per_s", "all"] == 7 / 10
    assert frame["sojourn_time_s_mean", "all"] == pytest.approx((0.1 + 0.2 + 0.3 + 1.5) / 4)


VISITS = [
    visit(0, "api", 1.0, 1.0, 2.5),  # its request belongs to the warm-up, half a second of it to the window
    visit(1, "api", 2.0, 2.1, 2.4),
    visit(3, "api", 4.0, 4.3, 5.0),
    visit(4, "api", 5.0, None, 6.0),  # gave up in the queue
    visit(7, "api", 6.0, 6.0, None),  # still there
    visit(1, "items", 2.1, 2.1, 2.2, hit=True),
    visit(3, "items", 4.1, 4.1, 4.2, hit=False),
    visit(3, "items", 4.2, 4.2, 4.3, operation="set"),
]


def test_waits_and_services_are_over_admitted_visits_of_the_window() -> None:
    """Waits 0.1, 0.3, 0 s; services 0.3 and 0.7 s; who gave up or came in the warm-up does not enter."""
    run = run_of(REQUESTS, VISITS)
    assert run.value("waiting_time_s_mean", "api") == pytest.approx(0.4 / 3)
    assert run.value("waiting_time_s_p95", "api") == pytest.approx(np.quantile([0, 0.1, 0.3], 0.95))
    assert run.value("service_time_s_mean", "api") == pytest.approx(0.5)


def test_hit_ratio_is_over_visits_that_looked_a_key_up() -> None:
    """A set has no hit or miss and does not enter."""
    run = run_of(REQUESTS, VISITS)
    assert run.value("hit_ratio", "items") == 0.5
    with pytest.raises(NotEnoughData, match="hit_ratio of 'api': it is known for items"):
        run.value("hit_ratio", "api")


def test_numbers_present_are_areas_over_the_window() -> None:
    """Waiting 0.1 + 0.3 + 1.0 s in 8 s; in service 0.5 (of the warm-up) + 0.3 + 0.7 + 4.0 s (still there)."""
    run = run_of(REQUESTS, VISITS)
    assert run.value("number_waiting_mean", "api") == pytest.approx(1.4 / 8)
    assert run.value("number_in_service_mean", "api") == pytest.approx(5.5 / 8)


def test_a_figure_without_data_has_no_row() -> None:
    """Nothing answered ok: there is a goodput of zero, and no sojourn time at all rather than 0.0."""
    run = run_of([request(1, 3.0, 1.0, "timeout")])
    assert run.value("goodput_per_s") == 0
    assert not any(name.startswith("sojourn_time") for name in run.metrics()["metric"])
    with pytest.raises(NotEnoughData, match="no replication has sojourn_time_s_p99 of 'all'"):
        run.value("sojourn_time_s_p99")


def test_a_window_without_requests_is_an_error() -> None:
    """A run whose requests all lie in the warm-up has nothing to sum up, and says where they are."""
    with pytest.raises(NotEnoughData, match=r"none of its 1 requests was meant to start in \[2 s, 10 s\)"):
        run_of([request(1, 1.0, 0.1)]).metrics()
    with pytest.raises(NotEnoughData, match="has no requests"):
        run_of([]).metrics()


def test_summary_is_over_replications_never_over_pooled_quantiles() -> None:
    """The estimate is the mean of each replication's own p50; intervals are Student's t over them."""
    sojourns = {0: [0.1, 0.3], 1: [0.2, 0.2, 0.8], 2: [0.6]}
    rows = [
        request(number, 3.0, sojourn, replication=replication)
        for replication, values in sojourns.items()
        for number, sojourn in enumerate(values)
    ]
    summary = run_of(rows).summary(level=0.9).set_index(["metric", "subject"])
    p50 = summary.loc[("sojourn_time_s_p50", "all")]
    medians = [0.2, 0.2, 0.6]
    interval, ahead = mean_interval(medians, 0.9), prediction_interval(medians, 0.9)
    assert p50["estimate"] == pytest.approx(1 / 3)
    assert (p50["low"], p50["high"]) == pytest.approx((interval.low, interval.high))
    assert (p50["prediction_low"], p50["prediction_high"]) == pytest.approx((ahead.low, ahead.high))
    assert (p50["replications"], p50["unit"]) == (3, "s")


def test_one_replication_has_an_estimate_and_no_interval() -> None:
    """From a single run nothing is known of the spread, so the interval is missing rather than of width zero."""
    row = run_of([request(1, 3.0, 0.1)]).summary().set_index("metric").loc[["sojourn_time_s_mean"]].iloc[0]
    assert row["estimate"] == pytest.approx(0.1)
    assert np.isnan([row["low"], row["high"], row["prediction_low"], row["prediction_high"]]).all()


def test_a_figure_that_some_replications_lack_says_so() -> None:
    """The number of replications behind an estimate is that of those which have the figure."""
    rows = [request(1, 3.0, 0.1), request(1, 3.0, 1.0, "timeout", replication=1)]
    summary = run_of(rows).summary().set_index(["metric", "subject"])["replications"]
    assert summary["sojourn_time_s_mean", "all"] == 1
    assert summary["goodput_per_s", "all"] == 2


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"duration": "10s"}, "needs duration and warm_up"),
        ({"duration": "10s", "warm_up": "10s"}, "leaves nothing"),
        ({"duration": "10", "warm_up": "1s"}, "unit is missing"),
    ],
)
def test_a_scenario_without_a_window_is_refused(run: dict, message: str) -> None:
    """A Run needs to know which stretch of its clock counts."""
    with pytest.raises(DomainError, match=message):
        run_of([request(1, 3.0, 0.1)], scenario={"run": run})


def test_a_visit_needs_its_request() -> None:
    """A visit for a request that is not there is refused at once, with the component and the request."""
    with pytest.raises(DomainError, match="visit to api for request 9"):
        run_of([request(1, 3.0, 0.1)], [visit(9, "api", 3.0, 3.0, 3.1)])
    with pytest.raises(DomainError, match="replication 4 has visits but no requests"):
        run_of([request(1, 3.0, 0.1)], [visit(1, "api", 3.0, 3.0, 3.1, replication=4)])
