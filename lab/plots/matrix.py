"""One case of the matrix: what was predicted, what was measured, load by load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from lab.plots.style import BLUE, VERMILLION, axes_or_new, tidy
from lab.validation.ledger import CaseRecord, LoadRecord
from lab.validation.observation import SHARES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 3


def plot_case(record: CaseRecord) -> Figure:
    """Draw each load of a case: sojourn times by their quantiles, or what is judged over time.

    The prediction is a line, each measured repeat a row of markers.
    """
    from matplotlib.figure import Figure  # here, to keep importing the lab quick

    loads = [load for load in record.loads if load.measured is not None]
    columns = min(_COLUMNS, max(1, len(loads)))
    rows = max(1, -(-len(loads) // columns))
    figure = Figure(figsize=(3.6 * columns, 2.7 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, load in zip(axes, loads, strict=False):
        if load.predicted.series:
            plot_over_time(load, ax=ax)
        else:
            plot_quantiles(load, ax=ax)
        ax.set_title(f"{load.load}: {load.verdict}", fontsize=9, pad=18)
    for ax in axes[len(loads) :]:
        ax.set_visible(False)
    return figure


def plot_quantiles(load: LoadRecord, *, ax: Axes | None = None) -> Axes:
    """Draw the quantiles of the sojourn time of ok requests: predicted as a line, each measured repeat as markers."""
    ax = axes_or_new(ax)
    assert load.measured is not None
    shares = np.array(SHARES[1:-1])
    places = -np.log10(1.0 - shares)
    for number, row in enumerate(load.measured.sojourn_times_s):
        label = f"measured ({load.measured.repeats} repeats)" if number == 0 else None
        ax.plot(places, np.array(row[1:-1]) * 1e3, "o", ms=3, mfc="none", color=VERMILLION, alpha=0.7, label=label)
    ax.plot(places, np.array(load.predicted.sojourn_times_s[0][1:-1]) * 1e3, "-", color=BLUE, label="predicted")
    ticks = (0.5, 0.9, 0.95, 0.99)
    ax.set_xticks([-np.log10(1.0 - share) for share in ticks], [f"p{share * 100:g}" for share in ticks])
    ax.set_xlabel("quantile")
    ax.set_ylabel("sojourn time (ms)")
    ax.set_ylim(bottom=0)
    tidy(ax)
    return ax


def plot_over_time(load: LoadRecord, *, ax: Axes | None = None) -> Axes:
    """Draw what is judged over time: predicted as a line, each measured repeat as markers."""
    from lab.validation.over_time import FIGURES

    ax = axes_or_new(ax)
    assert load.measured is not None
    name = next(iter(load.predicted.series))
    step_s = FIGURES[name].step_s
    repeats = np.array(load.measured.series[name])
    times_s = np.arange(repeats.shape[1]) * step_s
    predicted = np.array(load.predicted.series[name][0])
    where: Literal["post", "mid"] = "post" if FIGURES[name].agreement == "equal" else "mid"
    for number, row in enumerate(repeats):
        label = f"measured ({load.measured.repeats} repeats)" if number == 0 else None
        ax.plot(times_s, row, "o", ms=3, mfc="none", color=VERMILLION, alpha=0.6, label=label)
    ax.step(times_s, predicted, "-", where=where, color=BLUE, label="predicted")
    ax.set_xlabel("time (s)")
    ax.set_ylabel(name.removesuffix("_over_time").replace("_", " "))
    tidy(ax)
    return ax
