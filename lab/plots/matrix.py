"""One case of the matrix: what was predicted, what was measured, load by load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from lab.plots.style import BLUE, VERMILLION, axes_or_new, tidy
from lab.validation.ledger import CaseRecord, LoadRecord
from lab.validation.observation import SHARES
from lab.validation.over_time import FIGURES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 3
_CLOCKED = ("replicas_over_time", "hit_ratio_over_time")


def plot_case(record: CaseRecord) -> Figure:
    """Draw each load of a case: sojourn times by their quantiles, or what is judged over time.

    Where the scenario changes on its way (a spike, a fault) it is the goodput, or the figure over time that is judged.
    The prediction is a line, each measured repeat a row of markers.
    """
    from matplotlib.figure import Figure  # here, to keep importing the lab quick

    loads = [load for load in record.loads if load.measured is not None]
    columns = min(_COLUMNS, max(1, len(loads)))
    rows = max(1, -(-len(loads) // columns))
    figure = Figure(figsize=(3.6 * columns, 2.7 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, load in zip(axes, loads, strict=False):
        if _followed(load) is not None:
            plot_over_time(load, ax=ax)
        elif _changes(load):
            plot_goodput(load, ax=ax)
        else:
            plot_quantiles(load, ax=ax)
        ax.set_title(f"{load.load}: {load.verdict}", fontsize=8, loc="left")
    for ax in axes[len(loads) :]:
        ax.set_visible(False)
    return figure


def plot_quantiles(load: LoadRecord, *, ax: Axes | None = None) -> Axes:
    """Draw the quantiles of the sojourn time of ok requests: predicted as a line, each measured repeat as markers."""
    ax = axes_or_new(ax)
    assert load.measured is not None
    shares = np.array(SHARES[1:-1])
    places = -np.log10(1.0 - shares)
    _mark_repeats(ax, places, np.array([row[1:-1] for row in load.measured.sojourn_times_s]) * 1e3)
    ax.plot(places, np.array(load.predicted.sojourn_times_s[0][1:-1]) * 1e3, "-", color=BLUE, label="predicted")
    ticks = (0.5, 0.9, 0.95, 0.99)
    ax.set_xticks([-np.log10(1.0 - share) for share in ticks], [f"p{share * 100:g}" for share in ticks])
    ax.set_xlabel("quantile")
    ax.set_ylabel("sojourn time (ms)")
    ax.set_ylim(bottom=0)
    _finish(ax, loc="upper left")
    return ax


def plot_goodput(load: LoadRecord, *, ax: Axes | None = None) -> Axes:
    """Draw the good answers of each second: predicted as a line, each measured repeat as markers."""
    ax = axes_or_new(ax)
    assert load.measured is not None
    name = "goodput_per_s"
    repeats = np.array(load.measured.timeline[name])
    middles_s = np.arange(repeats.shape[1]) + 0.5
    _mark_repeats(ax, middles_s, repeats)
    ax.plot(middles_s, np.array(load.predicted.timeline[name][0]), "-", color=BLUE, label="predicted")
    ax.set_xlabel("time (s)")
    ax.set_ylabel("goodput (1/s)")
    ax.set_ylim(bottom=0)
    _finish(ax, loc="best")
    return ax


def plot_over_time(load: LoadRecord, *, ax: Axes | None = None) -> Axes:
    """Draw what is judged over time: predicted as a line, each measured repeat as markers."""
    ax = axes_or_new(ax)
    assert load.measured is not None
    name = _followed(load)
    assert name is not None
    step_s = FIGURES[name].step_s
    repeats = np.array(load.measured.series[name])
    times_s = np.arange(repeats.shape[1]) * step_s
    predicted = np.array(load.predicted.series[name][0])
    where: Literal["post", "mid"] = "post" if FIGURES[name].agreement == "equal" else "mid"
    _mark_repeats(ax, times_s, repeats)
    ax.step(times_s, predicted, "-", where=where, color=BLUE, label="predicted")
    ax.set_xlabel("time (s)")
    ax.set_ylabel(name.removesuffix("_over_time").replace("_", " "))
    _finish(ax, loc="best")
    return ax


def _followed(load: LoadRecord) -> str | None:
    """Return the figure that is judged over time, if there is one that has a clock."""
    return next((name for name in load.predicted.series if name in _CLOCKED), None)


def _changes(load: LoadRecord) -> bool:
    """Return whether what is asked of the backend, or the backend, changes during the run."""
    workload = load.scenario["workload"]
    return bool(load.scenario.get("faults")) or workload.get("arrival_rate", {}).get("kind") != "constant"


def _mark_repeats(ax: Axes, places: NDArray[Any], rows: NDArray[Any]) -> None:
    for number, row in enumerate(rows):
        label = f"measured ({len(rows)} repeats)" if number == 0 else None
        ax.plot(places, row, "o", ms=3, mfc="none", color=VERMILLION, alpha=0.7, label=label)


def _finish(ax: Axes, *, loc: Literal["best", "upper left"]) -> None:
    """Tidy up, with the legend among the data: above it stands the title."""
    tidy(ax)
    ax.legend(frameon=False, fontsize="x-small", loc=loc)
