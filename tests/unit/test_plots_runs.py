"""The plots of Runs: what stands on the axes is what the Run says, in the manner of its world."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.errors import DomainError, NotEnoughData
from lab.plots import plot_hit_ratio, plot_sojourn_times, plot_timeline, plot_waiting
from tests.unit.runs_frames import busy_run, request, run_of, visit

PREDICTED, MEASURED = busy_run(), busy_run("measured", replications=3, seed=2)


@pytest.fixture(autouse=True)
def _closed_figures() -> Iterator[None]:
    """Draw without a window system, and close what a test opened."""
    import matplotlib.pyplot as plt

    with mpl.rc_context({"backend": "agg"}):
        yield
        plt.close("all")


@pytest.fixture
def ax() -> Axes:
    """Axes of a figure that nothing else knows."""
    return Figure().subplots()


def _lines(ax: Axes) -> dict[str, np.ndarray]:
    """Each labelled series' points, by the first word of its label."""
    named = {str(line.get_label()).split(" ")[0]: line for line in ax.lines}
    return {name: np.column_stack(line.get_data()) for name, line in named.items() if not name.startswith("_")}


def test_importing_plots_does_not_import_matplotlib() -> None:
    """Importing lab.plots stays quick: matplotlib comes with the first plot."""
    code = "import sys, lab.plots; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_timeline_holds_the_means_of_the_bins(ax: Axes) -> None:
    """Each world's points are the means over replications at the bins' middles, in milliseconds."""
    assert plot_timeline(PREDICTED, MEASURED, metric="sojourn_time_s_p95", bin_s=2.0, ax=ax) is ax
    for name, run in (("predicted", PREDICTED), ("measured", MEASURED)):
        frame = run.timeline(2.0).query("metric == 'sojourn_time_s_p95'")
        means = frame.groupby("time_s")["value"].mean()
        points = _lines(ax)[name]
        assert points[:, 0].tolist() == [1, 3, 5, 7, 9]
        assert points[:, 1] == pytest.approx(1e3 * means.to_numpy())
    assert ax.get_ylabel() == "sojourn time p95 (ms)"
    assert ax.get_xlabel() == "time (s)"
    assert ax.get_xlim() == (0, 10)


def test_a_narrow_last_bin_has_its_own_middle(ax: Axes) -> None:
    """Ten seconds in bins of 4 s: the last reaches from 8 to 10 s, and its point stands at 9 s."""
    plot_timeline(PREDICTED, bin_s=4.0, ax=ax)
    assert _lines(ax)["predicted"][:, 0].tolist() == [2, 6, 9]


def test_worlds_have_their_manners(ax: Axes) -> None:
    """Predicted is a solid line with a band, measured is markers with bars, in other colours."""
    plot_timeline(PREDICTED, MEASURED, ax=ax)
    line, marks = ax.lines[:2]
    assert (line.get_linestyle(), line.get_marker()) == ("-", "None")
    assert (marks.get_linestyle(), marks.get_marker()) == ("None", "o")
    assert line.get_color() != marks.get_color()
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["predicted (mean, 90% of 5 replications)", "measured (mean, range of 3 repeats)"]


def test_the_band_is_that_of_the_replications(ax: Axes) -> None:
    """The band's edges are the 5 % and 95 % quantiles over replications, bin by bin."""
    plot_timeline(PREDICTED, bin_s=5.0, ax=ax)
    bins = (
        PREDICTED.timeline(5.0)
        .query("metric == 'goodput_per_s'")
        .pivot(index="time_s", columns="replication", values="value")
    )
    corners = ax.collections[0].get_paths()[0].vertices
    for middle, row in zip((2.5, 7.5), bins.to_numpy(), strict=True):
        heights = corners[corners[:, 0] == middle][:, 1]
        assert (heights.min(), heights.max()) == pytest.approx(tuple(np.quantile(row, (0.05, 0.95))))


def test_one_replication_has_no_band(ax: Axes) -> None:
    """From one replication no spread is known, so none is drawn or named."""
    plot_timeline(busy_run(replications=1, count=50), ax=ax)
    assert ax.get_legend().get_texts()[0].get_text() == "predicted"
    assert len(ax.collections) == 0


def test_style_and_labels_reach_the_lines(ax: Axes) -> None:
    """What the caller asks for is done: a label, a colour, a width."""
    plot_timeline(PREDICTED, ax=ax, labels=["two replicas"], color="black", linewidth=3)
    line = ax.lines[0]
    assert (line.get_label(), line.get_color(), line.get_linewidth()) == ("two replicas", "black", 3)


def test_numbers_of_a_component(ax: Axes) -> None:
    """A component's number waiting has no unit, and its name on the axis."""
    plot_timeline(PREDICTED, metric="number_waiting_mean", subject="edge", ax=ax)
    assert ax.get_ylabel() == "number waiting at edge"


def test_hit_ratio_is_in_percent_and_finds_the_only_cache(ax: Axes) -> None:
    """Without a name the only cache is drawn; the axis goes to 100 %."""
    plot_hit_ratio(PREDICTED, bin_s=10.0, ax=ax)
    whole = PREDICTED.metrics(warm_up=False).query("metric == 'hit_ratio'")["value"].mean()
    assert _lines(ax)["predicted"][:, 1] == pytest.approx([100 * whole], abs=0.5)
    assert ax.get_ylabel() == "hit ratio at items (%)"


def test_sojourn_times_pass_through_the_summary(ax: Axes) -> None:
    """At 50, 5 and 1 % the curve stands at the p50, p95 and p99 of the Run's own summary."""
    plot_sojourn_times(PREDICTED, MEASURED, ax=ax)
    for name, run in (("predicted", PREDICTED), ("measured", MEASURED)):
        points = _lines(ax)[name]
        for share, metric in ((50, "p50"), (5, "p95"), (1, "p99")):
            (time_ms,) = points[np.isclose(points[:, 1], share), 0]
            assert time_ms == pytest.approx(1e3 * run.value(f"sojourn_time_s_{metric}"))
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert {"p50", "p95", "p99"} <= {text.get_text() for text in ax.texts}


def test_sojourn_times_end_where_the_data_do(ax: Axes) -> None:
    """Four answers say nothing below a quarter: the curve ends there, and the p99 is not marked."""
    plot_sojourn_times(run_of([request(n, 3.0, 0.1 * (n + 1)) for n in range(4)]), ax=ax)
    assert _lines(ax)["predicted"][:, 1].min() == pytest.approx(25)
    assert [text.get_text() for text in ax.texts] == ["p50"]


def test_waits_are_bars_and_markers_in_the_scenarios_order(ax: Axes) -> None:
    """Predicted bars and measured markers stand at the means, in the order in which the parts are written."""
    plot_waiting(PREDICTED, MEASURED, ax=ax)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["edge", "items"]
    assert ax.patches[0].get_width() == pytest.approx(1e3 * PREDICTED.value("waiting_time_s_mean", "edge"))
    marks = ax.containers[-1].lines[0].get_xdata()
    assert marks[0] == pytest.approx(1e3 * MEASURED.value("waiting_time_s_mean", "edge"))


def test_waits_have_the_intervals_of_the_summary(ax: Axes) -> None:
    """The bars of error reach from low to high of the summary at the level that was asked for."""
    plot_waiting(MEASURED, level=0.9, ax=ax)
    row = MEASURED.summary(0.9).query("metric == 'waiting_time_s_mean' and subject == 'edge'").iloc[0]
    segment = ax.containers[0].lines[2][0].get_segments()[0]
    assert segment[:, 0] == pytest.approx([1e3 * row["low"], 1e3 * row["high"]])
    assert "90% interval" in ax.get_xlabel()


def test_a_new_axes_is_made_when_none_is_given() -> None:
    """Without ax a plot makes its own figure and hands its Axes back."""
    first, second = plot_timeline(PREDICTED), plot_waiting(PREDICTED)
    assert first.figure is not second.figure


def test_runs_are_told_apart_by_name_when_worlds_do_not(ax: Axes) -> None:
    """Two predictions of different scenarios carry their names and colours; five cannot be told apart."""
    other = run_of([request(1, 3.0, 0.1)], scenario={"name": "more replicas"})
    plot_timeline(PREDICTED, other, ax=ax)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["small (mean, 90% of 5 replications)", "more replicas"]
    with pytest.raises(DomainError, match="more than 4 predicted Runs"):
        plot_timeline(*[PREDICTED] * 5, ax=ax)


def test_wrong_use_is_told_in_words(ax: Axes) -> None:
    """No Run, an unknown metric, a subject without data, labels that do not fit: each has its own words."""
    with pytest.raises(DomainError, match="at least one Run"):
        plot_timeline(ax=ax)
    with pytest.raises(DomainError, match="metric is 'rps', which no timeline has"):
        plot_timeline(PREDICTED, metric="rps", ax=ax)
    with pytest.raises(NotEnoughData, match="it has it for: edge, items"):
        plot_timeline(PREDICTED, metric="number_waiting_mean", ax=ax)
    with pytest.raises(DomainError, match="2 labels for 1 Runs"):
        plot_timeline(PREDICTED, labels=["a", "b"], ax=ax)


def test_missing_data_is_told_in_words(ax: Axes) -> None:
    """A plot of what nobody observed is an error, not an empty frame."""
    bare = run_of([request(1, 3.0, 1.0, "timeout")])
    with pytest.raises(NotEnoughData, match="no hit ratio to draw"):
        plot_hit_ratio(bare, ax=ax)
    with pytest.raises(NotEnoughData, match="0 ok answers in its window"):
        plot_sojourn_times(bare, ax=ax)
    with pytest.raises(NotEnoughData, match="no waiting time is known"):
        plot_waiting(bare, ax=ax)
    two = [visit(1, name, 3.0, 3.0, 3.1, hit=True) for name in ("items", "pages")]
    with pytest.raises(DomainError, match="caches items, pages; say which"):
        plot_hit_ratio(run_of([request(1, 3.0, 1.0)], two), ax=ax)
