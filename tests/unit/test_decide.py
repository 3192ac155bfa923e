"""Designs side by side: intervals, differences on common random numbers, recovery, replicas, costs, and the picture."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.axes import Axes

import lab
from lab.errors import DomainError, NotEnoughData, Unstable
from lab.experiment.decision import METRICS, Decision
from lab.experiment.simulate import OverloadWarning
from lab.plots import plot_decision
from lab.runs.fleets import fleet_size
from lab.runs.window import Window

TEXT = """
name: small
question: How many slots?
workload:
  kind: open
  arrival_rate: {kind: spike, base: 20/s, peak: 100/s, at: 2s, rise: 0s, hold: 2s, fall: 0s}
  endpoints: {get: 100%}
client: {timeout: 300ms}
entry: api
components:
  api:
    kind: service
    concurrency: 2
    backlog: 400
    endpoints: {get: [{kind: wait, time: {kind: exponential, mean: 50ms}}]}
objectives:
  - {metric: error_ratio, at_most: 5%}
  - {metric: recovery_time, after: 4s, window: 1s, good_ratio: 90%, at_most: 2s}
prices: {date: "2026-11-22", currency: EUR, of: {api: {per_replica_hour: 1}}}
designs:
  as it was: {}
  same again: {components.api.concurrency: 2}
  ten slots: {components.api.concurrency: 10}
run: {duration: 7s, replications: 4}
"""


@pytest.fixture(name="decision", scope="module")
def _decision() -> Decision:
    with pytest.warns(OverloadWarning, match=r"design 'as it was': api: slots: at the peak"):
        return lab.decide(lab.parse_scenario(TEXT), progress=False, n_jobs=1)


@pytest.fixture(name="ax")
def _ax() -> Iterator[Axes]:
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def test_a_row_a_design_with_intervals_and_differences(decision: Decision) -> None:
    """The table's figures are those of the Runs; the difference is the one that lab.difference finds."""
    assert list(decision.table.index) == list(decision.runs) == ["as it was", "same again", "ten slots"]
    assert decision.metrics == tuple(METRICS)
    before, after = decision.runs["as it was"], decision.runs["ten slots"]
    row = decision.table.loc["ten slots", "goodput_per_s"]
    assert row["estimate"] == pytest.approx(after.value("goodput_per_s"))
    change = lab.difference(before, after).set_index(["metric", "subject"]).loc[("goodput_per_s", "all")]
    found = [row["difference"], row["difference_low"], row["difference_high"]]
    assert found == pytest.approx([change["difference"], change["low"], change["high"]])
    assert row["low"] < row["estimate"] < row["high"]
    assert decision.table.loc["as it was", "goodput_per_s"]["difference":].isna().all()
    assert decision.units["cost_per_hour"] == "EUR/h"


def test_the_same_design_differs_by_nothing(decision: Decision) -> None:
    """Common random numbers: not by little, by nothing. Ten slots differ in what they should."""
    for metric in ("sojourn_time_s_p50", "goodput_per_s", "error_ratio", "replicas_mean", "cost_per_hour"):
        assert decision.value("same again", metric, "difference") == 0
        assert not decision.is_different("same again", metric)
    assert decision.is_different("ten slots", "error_ratio")
    assert decision.difference_text("same again", "goodput_per_s") == "(0 ±0/s)"


def test_a_design_that_never_recovers_says_so(decision: Decision) -> None:
    """Two slots have 120 requests too many after 4 s and 20/s to spare, and the run ends at 7 s; ten do well."""
    assert decision.value("as it was", "time_to_recover_s", "replications") == 0
    assert math.isnan(decision.value("as it was", "time_to_recover_s"))
    assert decision.estimate_text("as it was", "time_to_recover_s") == "never"
    assert decision.value("ten slots", "time_to_recover_s") == 0
    assert decision.difference_text("ten slots", "time_to_recover_s") == "\N{EN DASH}"


def test_objectives_are_met_with_a_probability(decision: Decision) -> None:
    """In each design's own replications, by the objective's text."""
    errors, recovery = decision.objectives
    assert (errors, recovery) == ("error_ratio <= 5 %", "recovery_time after 4 s <= 2 s")
    assert [decision.value(name, errors, "probability") for name in decision.runs] == [0, 0, 1]
    assert [decision.value(name, recovery, "met") for name in decision.runs] == [0, 0, 1]


def test_it_is_told_in_words_html_and_json(decision: Decision) -> None:
    """Every design, what differs, and how to read it."""
    for text in (str(decision), decision._repr_html_()):
        assert all(word in text for word in ("as it was", "ten slots", "never", "cost per hour (EUR)", "±"))
        assert "4 replications with 95 % intervals" in text
    document = json.loads(json.dumps(decision.to_dict(), allow_nan=False))
    assert document["designs"]["ten slots"]["changes"] == {"components.api.concurrency": 10}
    assert document["designs"]["as it was"]["figures"]["time_to_recover_s"]["estimate"] is None


def test_what_is_not_there_is_named(decision: Decision) -> None:
    """Design, figure, statistic: with what there is."""
    with pytest.raises(DomainError, match="there is no design 'none' here"):
        decision.value("none", "goodput_per_s")
    with pytest.raises(DomainError, match="there is no figure 'p99' here"):
        decision.value("as it was", "p99")
    with pytest.raises(DomainError, match="there is no statistic 'mean' here"):
        decision.value("as it was", "goodput_per_s", "mean")


def test_what_cannot_be_decided_is_refused() -> None:
    """No designs, one replication, a queue without end: with the name of the design."""
    scenario = lab.parse_scenario(TEXT)
    with pytest.raises(DomainError, match="small has no designs to decide between"):
        lab.decide(scenario.with_({"designs": {}}))
    with pytest.raises(NotEnoughData, match="1 replication gives no interval"):
        lab.decide(scenario, replications=1)
    endless = scenario.with_(
        {"designs": {"open end": {"components.api.backlog": None}}, "workload.arrival_rate": "90/s"}
    )
    with pytest.raises(Unstable, match="design 'open end': api"):
        lab.decide(endless, progress=False)


def test_the_picture_has_a_dot_a_design_and_its_difference(decision: Decision, ax: Axes) -> None:
    """The first on top; hollow where the difference may be chance; words at the right; units on the axis."""
    assert plot_decision(decision, metric="goodput_per_s", ax=ax) is ax
    assert [label.get_text() for label in ax.get_yticklabels()] == list(decision.runs)
    assert ax.get_ylim() == (2.5, -0.5)
    assert ax.get_xlabel() == "goodput (requests/s)"
    words = [text.get_text() for text in ax.texts]
    assert words == [
        decision.estimate_text("as it was", "goodput_per_s"),
        "(0 ±0/s)",
        decision.difference_text("ten slots", "goodput_per_s"),
    ]
    dots = [bars.lines[0] for bars in ax.containers]
    assert [dot.get_markerfacecolor() for dot in dots][1] == "none"
    assert dots[2].get_xdata()[0] == pytest.approx(decision.value("ten slots", "goodput_per_s"))


def test_a_figure_that_some_design_lacks_has_words_instead(decision: Decision, ax: Axes) -> None:
    """Who never recovers has no dot."""
    plot_decision(decision, metric="time_to_recover_s", ax=ax)
    assert [text.get_text() for text in ax.texts] == [
        "never",
        "never",
        decision.estimate_text("ten slots", "time_to_recover_s"),
    ]
    assert len(ax.containers) == 1
    with pytest.raises(DomainError, match="there is no figure 'p99'"):
        plot_decision(decision, metric="p99", ax=ax)


def test_figures_far_apart_stand_on_a_logarithmic_axis(decision: Decision, ax: Axes) -> None:
    """And the axis says so."""
    table = decision.table.copy()
    for key in ("estimate", "low", "high"):
        table.loc["ten slots", ("sojourn_time_s_p99", key)] /= 1000
    far = Decision(scenario=decision.scenario, runs=decision.runs, table=table, units=decision.units)
    plot_decision(far, ax=ax)
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "sojourn time p99 (ms), logarithmic"


@pytest.mark.slow  # it draws
def test_a_report_has_the_tables_and_a_picture_a_figure(decision: Decision, tmp_path: Path) -> None:
    """One self-contained page."""
    page = lab.write_report(decision, tmp_path / "decision.html").read_text()
    assert "ten slots: difference" in page
    assert page.count("<figure") == len(METRICS)


def test_the_size_of_a_fleet_counts_who_boots_and_drains() -> None:
    """Two that stay, and 1, then 1 + 3, then 4, then 2 of another service: 6 at most in the window."""
    samples = pd.DataFrame(
        {
            "component": pd.Categorical(["api"] * 5),
            "gauge": pd.Categorical(
                ["replicas_ready", "replicas_starting", "replicas_starting"] + ["replicas_ready"] * 2
            ),
            "time_s": [0.0, 4.0, 6.0, 6.0, 8.0],
            "value": [1.0, 3.0, 0.0, 4.0, 2.0],
        }
    )
    scenario = {"components": {"api": {"kind": "service", "replicas": 1}, "feed": {"kind": "service", "replicas": 2}}}
    size = fleet_size(samples, scenario, window=Window(start_s=0.0, end_s=10.0))
    assert size == pytest.approx((2 + (4 * 1 + 4 * 4 + 2 * 2) / 10, 6.0))
    assert fleet_size(samples, scenario, window=Window(start_s=9.0, end_s=10.0)) == pytest.approx((4.0, 4.0))
    assert (
        fleet_size(samples, {"components": {"main": {"kind": "database"}}}, window=Window(start_s=0, end_s=1)) is None
    )
