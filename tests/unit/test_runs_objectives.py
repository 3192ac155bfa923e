"""Objectives: read, judged by the mean, and with the share of replications that meet them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from lab.errors import DomainError, Unsupported
from lab.runs.objectives import read_objective
from lab.theory.intervals import proportion_interval
from tests.unit.runs_frames import request, run_of, visit

P99 = {"metric": "sojourn_time", "quantile": "99%", "endpoint": "read", "at_most": "300ms"}


def _judged(rows: list, objective: dict, visits: list | None = None):
    (result,) = run_of(rows, visits, scenario={"objectives": [objective]}).objectives()
    return result


def _one_each(*sojourns: float | None, **other: Any) -> list:
    """One request a replication, with these sojourn times; None is one that timed out."""
    return [
        request(1, 3.0, 1.0 if time is None else time, "timeout" if time is None else "ok", replication=n, **other)
        for n, time in enumerate(sojourns)
    ]


def test_probability_is_the_share_of_replications_that_meet_it() -> None:
    """Three of four replications keep to 300 ms, and so does the mean of 275 ms."""
    result = _judged(_one_each(0.1, 0.2, 0.3, 0.5), P99)
    wilson = proportion_interval(3, 4)
    assert result.text == "sojourn_time p99 of read <= 300 ms"
    assert (result.probability, result.replications) == (0.75, 4)
    assert (result.probability_low, result.probability_high) == (wilson.low, wilson.high)
    assert result.value == pytest.approx(0.275)
    assert result.margin == pytest.approx(0.025)
    assert result.met
    assert (result.unit, result.note) == ("s", "")


def test_an_objective_that_the_mean_breaks_is_not_met() -> None:
    """One bad replication can spoil the mean though most replications meet the bound."""
    result = _judged(_one_each(0.1, 0.1, 1.0), P99)
    assert (result.met, result.probability) == (False, pytest.approx(2 / 3))
    assert result.margin == pytest.approx(-0.1)


def test_a_quantile_is_taken_of_raw_times() -> None:
    """The p50 of an endpoint uses its own ok answers alone."""
    rows = [request(n, 3.0, t) for n, t in enumerate((0.1, 0.2, 0.4))] + [request(9, 3.0, 5.0, endpoint="write")]
    result = _judged(rows, P99 | {"quantile": "50%"})
    assert result.value == pytest.approx(0.2)
    assert _judged(rows, {"metric": "sojourn_time", "at_most": "2s"}).value == pytest.approx((0.7 + 5) / 4)


def test_a_replication_without_the_figure_does_not_meet_it() -> None:
    """A replication in which nobody was answered has no p99: it counts as not met, and the note says so."""
    result = _judged(_one_each(0.1, None), P99)
    assert (result.met, result.probability) == (False, 0.5)
    assert result.value == pytest.approx(0.1)
    assert result.note == "1 of 2 replications have no such figure and count as not met"


def test_nothing_known_at_all_is_not_met_and_has_no_value() -> None:
    """If no replication has the figure, its value is missing, never zero."""
    result = _judged(_one_each(None, None), P99)
    assert (result.met, result.probability) == (False, 0)
    assert math.isnan(result.value)


def test_ratios_and_rates() -> None:
    """Ratios are bounded in percent and rates per second; a bound that is just kept is met."""
    rows = [request(n, 3.0, 0.1, "ok" if n else "error") for n in range(4)]
    ratio = _judged(rows, {"metric": "error_ratio", "at_most": "25%"})
    assert (ratio.text, ratio.value, ratio.bound, ratio.met, ratio.margin) == (
        "error_ratio <= 25 %",
        0.25,
        0.25,
        True,
        0,
    )
    rate = _judged(rows, {"metric": "goodput", "at_least": "1/s"})
    assert (rate.text, rate.value, rate.met) == ("goodput >= 1/s", 3 / 8, False)
    assert rate.margin == pytest.approx(3 / 8 - 1)
    assert _judged(rows, {"metric": "throughput", "at_least": "1/s"}).value == 4 / 8
    assert _judged(rows, {"metric": "timeout_ratio", "at_most": "0%"}).met


def test_figures_of_components() -> None:
    """Hit ratios and waits are those of the named component."""
    rows = [request(1, 3.0, 0.5)]
    visits = [visit(1, "items", 3.0, 3.0, 3.1, hit=True), visit(1, "main", 3.1, 3.3, 3.4)]
    hits = _judged(rows, {"metric": "hit_ratio", "component": "items", "at_least": "90%"}, visits)
    assert (hits.text, hits.value, hits.met) == ("hit_ratio of items >= 90 %", 1.0, True)
    waits = _judged(rows, {"metric": "waiting_time", "component": "main", "at_most": "100ms"}, visits)
    assert (waits.value, waits.met) == (pytest.approx(0.2), False)


def test_no_objectives_is_no_results() -> None:
    """A scenario may have no objectives."""
    assert run_of([request(1, 3.0, 0.1)]).objectives() == ()


@pytest.mark.parametrize(
    ("document", "error", "message"),
    [
        (
            {"metric": "cost", "at_most": "60s"},
            Unsupported,
            r"objectives\[0\].metric: .*'cost' yet",
        ),
        ({"metric": "error_ratio"}, DomainError, "exactly one of at_most and at_least"),
        ({"metric": "error_ratio", "at_most": "1%", "at_least": "1%"}, DomainError, "exactly one"),
        ({"metric": "error_ratio", "at_most": "1%", "colour": "red"}, DomainError, "colour does not belong"),
        (
            {"metric": "error_ratio", "quantile": "99%", "at_most": "1%"},
            DomainError,
            "quantile: only sojourn_time",
        ),
        ({"metric": "error_ratio", "at_most": "10ms"}, DomainError, "not a share"),
        (
            {"metric": "sojourn_time", "quantile": "100%", "at_most": "1s"},
            DomainError,
            "not between 0% and 100%",
        ),
        (
            {"metric": "sojourn_time", "component": "api", "at_most": "1s"},
            DomainError,
            "component: sojourn_time is",
        ),
        ({"metric": "hit_ratio", "at_least": "90%"}, DomainError, "give component"),
    ],
)
def test_unclear_objectives_are_refused(document: dict, error: type[Exception], message: str) -> None:
    """Each wrong objective is refused with its place, what is wrong and what to do."""
    with pytest.raises(error, match=message):
        read_objective(document, where="objectives[0]")
