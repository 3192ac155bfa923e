"""A run over time: predicted as a line with a band over its replications, measured as markers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab.errors import DomainError, NotEnoughData
from lab.plots.style import AXIS_NAMES, GREY, Look, axes_or_new, axis_scale, looks_of, tidy
from lab.runs import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The band leaves out a twentieth of the replications on either side.
_BAND = (0.05, 0.95)


def plot_timeline(
    *runs: Run,
    metric: str = "goodput_per_s",
    subject: str = "all",
    bin_s: float | None = None,
    labels: Sequence[str] | None = None,
    ax: Axes | None = None,
    **style: Any,
) -> Axes:
    """Draw a figure of each bin of time, one series a Run, over each other.

    A predicted Run is a line through the means over its replications with a band that holds nine tenths of them; a
    measured one is a marker a bin, with a bar from the least to the most where it has repeats. The warm-up is shaded.

    Args:
        runs: one or more, of either world.
        metric: one of the metrics of :meth:`lab.runs.run.Run.timeline`.
        subject: ``all``, or the component for a metric of components.
        bin_s: width of a bin in seconds; by default a second, or what each Run kept if it is very long.
        labels: names for the legend, one a Run.
        ax: where to draw; a new Axes by default.
        style: passed to each line.

    Raises:
        DomainError: the metric is not one of a timeline.
        NotEnoughData: a Run has no such figure for the subject.
    """
    if metric not in AXIS_NAMES:
        raise DomainError(f"metric is {metric!r}, which no timeline has; it can be one of {', '.join(AXIS_NAMES)}")
    ax = axes_or_new(ax)
    for look in looks_of(runs, labels=labels):
        wide, unit = _bins(look.run, metric=metric, subject=subject, bin_s=bin_s)
        factor, axis_label = axis_scale(metric, unit=unit, subject=subject)
        named = look.label if labels is not None else _with_spread(look)
        draw = _draw_markers if look.is_measured else _draw_line
        draw(ax, look, wide * factor, {"label": named} | style)
        ax.set_ylabel(axis_label)
    _finish(ax, runs)
    return ax


def plot_hit_ratio(
    *runs: Run,
    component: str | None = None,
    bin_s: float | None = None,
    labels: Sequence[str] | None = None,
    ax: Axes | None = None,
    **style: Any,
) -> Axes:
    """Draw a cache's hit ratio over time, in percent; see :func:`plot_timeline`.

    Args:
        runs: one or more, of either world.
        component: the cache; may be left out where there is one.
        bin_s: width of a bin in seconds; by default a second, or what each Run kept if it is very long.
        labels: names for the legend, one a Run.
        ax: where to draw; a new Axes by default.
        style: passed to each line.

    Raises:
        DomainError: there are several caches, and none was named.
        NotEnoughData: a Run has no lookups.
    """
    if component is None:
        timelines = [run.timeline(bin_s) for run in runs]
        caches = sorted({name for each in timelines for name in each.loc[each["metric"] == "hit_ratio", "subject"]})
        if len(caches) > 1:
            raise DomainError(f"the runs have the caches {', '.join(caches)}; say which by component=")
        if not caches:
            raise NotEnoughData("no run looked a key up in a cache, so there is no hit ratio to draw")
        component = caches[0]
    ax = plot_timeline(*runs, metric="hit_ratio", subject=component, bin_s=bin_s, labels=labels, ax=ax, **style)
    ax.set_ylim(0, 104)
    return ax


def _bins(run: Run, *, metric: str, subject: str, bin_s: float | None) -> tuple[pd.DataFrame, str]:
    """Bins' middles by replication, missing where a replication has no figure; and the unit."""
    width_s = run.bin_s if bin_s is None else bin_s
    frame = run.timeline(width_s)
    own = frame[(frame["metric"] == metric) & (frame["subject"] == subject)]
    if own.empty:
        there = sorted(set(frame.loc[frame["metric"] == metric, "subject"]))
        raise NotEnoughData(
            f"{run!r} has no {metric} of {subject!r} over time; it has it for: {', '.join(there) or 'nothing'}"
        )
    wide = own.pivot(index="time_s", columns="replication", values="value")
    wide.index = pd.Index(np.minimum(wide.index + width_s / 2, (wide.index + run.window.end_s) / 2), name="time_s")
    return wide, str(own["unit"].iloc[0])


def _with_spread(look: Look) -> str:
    """The legend's entry, which says what the band or the bars are."""
    number = len(look.run.replications)
    if number == 1:
        return look.label
    if look.is_measured:
        return f"{look.label} (mean, range of {number} repeats)"
    return f"{look.label} (mean, {_BAND[1] - _BAND[0]:.0%} of {number} replications)"


def _draw_line(ax: Axes, look: Look, wide: pd.DataFrame, style: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"color": look.colour, "linewidth": 1.8}
    (line,) = ax.plot(wide.index, wide.mean(axis=1), **(usual | style))
    if wide.shape[1] > 1:
        low, high = (wide.quantile(share, axis=1) for share in _BAND)
        ax.fill_between(wide.index, low, high, color=line.get_color(), alpha=0.22, linewidth=0)


def _draw_markers(ax: Axes, look: Look, wide: pd.DataFrame, style: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"color": look.colour, "marker": look.marker, "markersize": 4, "linestyle": "none"}
    (marks,) = ax.plot(wide.index, wide.mean(axis=1), **(usual | style))
    if wide.shape[1] > 1:
        ax.vlines(wide.index, wide.min(axis=1), wide.max(axis=1), color=marks.get_color(), linewidth=0.9)


def _finish(ax: Axes, runs: Sequence[Run]) -> None:
    window = runs[0].window
    if window.start_s > 0:
        ax.axvspan(0, window.start_s, color="#999999", alpha=0.15, linewidth=0)
        ax.annotate(
            "warm-up",
            (0, 0.98),
            xycoords=("data", "axes fraction"),
            xytext=(1, 0),
            textcoords="offset points",
            rotation=90,
            va="top",
            fontsize="x-small",
            color=GREY,
        )
    ax.set_xlabel("time (s)")
    ax.set_xlim(0, max(run.window.end_s for run in runs))
    ax.set_ylim(bottom=0)
    tidy(ax)
