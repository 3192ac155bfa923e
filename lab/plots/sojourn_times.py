"""How long clients waited: the share that waited longer than any time, down to the rarest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.errors import NotEnoughData
from lab.plots.style import GREY, Look, axes_or_new, looks_of, tidy
from lab.runs import Run
from lab.runs.window import by_replication

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = np.ndarray[Any, np.dtype[np.float64]]

_MARKED = {"p50": 0.5, "p95": 0.05, "p99": 0.01}
_POINTS = 120
_MARKERS = 28
# The very quickest answers would stretch the time axis by decades without telling anything.
_FIRST_SHARE = 0.99


def plot_sojourn_times(
    *runs: Run,
    endpoint: str | None = None,
    labels: Sequence[str] | None = None,
    ax: Axes | None = None,
    **style: Any,
) -> Axes:
    """Draw the share of ok answers that took longer than a time (complementary distribution), both axes logarithmic.

    At each share the curve is the mean over replications of their own quantile, so that at 1 % it passes through the
    p99 of :meth:`lab.runs.run.Run.summary`; the band (bars, for a measured Run) spans the replications. A curve ends
    where its smallest replication has a single answer left.

    Args:
        runs: one or more, of either world.
        endpoint: of one endpoint; of all by default.
        labels: names for the legend, one a Run.
        ax: where to draw; a new Axes by default.
        style: passed to each line.

    Raises:
        NotEnoughData: a replication has fewer than two ok answers in the window.
    """
    ax = axes_or_new(ax)
    for look in looks_of(runs, labels=labels):
        times = _ok_times(look.run, endpoint)
        shares = _shares(min(len(each) for each in times), count=_MARKERS if look.is_measured else _POINTS)
        quantiles = 1e3 * np.array([np.quantile(each, 1 - shares) for each in times])
        _draw(ax, look, quantiles, shares, style)
    ax.set_xscale("log")
    ax.set_yscale("log")
    _mark(ax)
    of = f" of {endpoint}" if endpoint else ""
    ax.set_xlabel(f"sojourn time{of} (ms)")
    ax.set_ylabel("share that takes longer (%)")
    tidy(ax)
    return ax


def _ok_times(run: Run, endpoint: str | None) -> list[Floats]:
    times = []
    for replication, own in by_replication(run.requests):
        counts = run.window.holds(np.asarray(own["intended_start_s"])) & np.asarray(own["outcome"] == "ok")
        if endpoint is not None:
            counts &= np.asarray(own["endpoint"] == endpoint)
        if counts.sum() < 2:  # noqa: PLR2004  # one answer has no distribution
            what = f" of {endpoint}" if endpoint else ""
            raise NotEnoughData(
                f"{run!r}: replication {replication} has {counts.sum()} ok answers{what} in its window, "
                "which is too few for a distribution"
            )
        times.append(np.asarray(own["sojourn_time_s"])[counts])
    if not times:
        raise NotEnoughData(f"{run!r} has no requests, so it has no sojourn times")
    return times


def _shares(answers: int, *, count: int) -> Floats:
    """From (nearly) all to one answer of the fewest, with the marked shares exactly among them."""
    smallest = 1 / answers
    shares = np.geomspace(_FIRST_SHARE, smallest, count)
    return np.unique([*shares, *(share for share in _MARKED.values() if share >= smallest)])[::-1]


def _draw(ax: Axes, look: Look, quantiles: Floats, shares: Floats, style: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"color": look.colour, "label": look.label}
    if look.is_measured:
        usual |= {"marker": look.marker, "markersize": 4, "linestyle": "none"}
    else:
        usual |= {"linewidth": 1.8}
    percent = 100 * shares
    (line,) = ax.plot(quantiles.mean(axis=0), percent, **(usual | style))
    if len(quantiles) == 1:
        return
    low, high = quantiles.min(axis=0), quantiles.max(axis=0)
    if look.is_measured:
        ax.hlines(percent, low, high, color=line.get_color(), linewidth=0.9)
    else:
        ax.fill_betweenx(percent, low, high, color=line.get_color(), alpha=0.22, linewidth=0)


def _mark(ax: Axes) -> None:
    from matplotlib.ticker import (
        FuncFormatter,
        LogLocator,
        NullFormatter,
    )  # here, so that importing lab.plots stays quick

    low = ax.get_ylim()[0]
    for name, share in _MARKED.items():
        if 100 * share >= low:
            ax.axhline(100 * share, color=GREY, linewidth=0.8, linestyle=":")
            ax.annotate(
                name, (1, 100 * share), xycoords=("axes fraction", "data"), xytext=(-2, 2), textcoords="offset points",
                ha="right", va="bottom", fontsize="small", color=GREY,
            )  # fmt: skip
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    ax.xaxis.set_major_formatter(plain)
    ax.yaxis.set_major_formatter(plain)
