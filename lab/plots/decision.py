"""Designs side by side: one figure of each with its interval, and its difference to the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lab.errors import DomainError, NotEnoughData
from lab.experiment.decision import Decision
from lab.plots.style import BLUE, GREY, VERMILLION, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDE = 30.0  # from the largest figure to the smallest: beyond it a straight axis hides the small ones
_FIRST, _OTHER, _CHANCE = (BLUE, "s"), (VERMILLION, "o"), (GREY, "o")


def plot_decision(
    decision: Decision, *, metric: str = "sojourn_time_s_p99", ax: Axes | None = None, **style: Any
) -> Axes:
    """Draw one figure of every design as a dot with its 95 % interval, the first design on top.

    The words at the right are the difference to the first, with its interval on common random numbers. Where that
    interval holds 0 the dot is hollow and the words stand in parentheses: the difference may be chance. A design that
    lacks the figure (one that never recovers) has words alone. Figures that are more than thirty times apart stand on a
    logarithmic axis.

    Args:
        decision: of :func:`lab.decide`.
        metric: one of ``decision.metrics``.
        ax: where to draw; a new Axes by default.
        style: passed to the dots.

    Raises:
        DomainError: the decision has no such figure.
        NotEnoughData: no design has the figure.
    """
    if metric not in decision.metrics:
        raise DomainError(f"there is no figure {metric!r} here (there are: {', '.join(decision.metrics)})")
    names = list(decision.runs)
    scale, label = _axis(decision, metric)
    table = decision.table[metric]
    middle, low, high = (scale * table[key].to_numpy(dtype=float) for key in ("estimate", "low", "high"))
    if np.isnan(middle).all():
        raise NotEnoughData(f"no design has {metric}: {decision.estimate_text(names[0], metric)}")
    ax = axes_or_new(ax, height=1.1 + 0.42 * len(names))
    for place, name in enumerate(names):
        is_first, real = place == 0, decision.is_different(name, metric)
        colour, marker = _FIRST if is_first else _OTHER if real else _CHANCE
        usual: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 7, "capsize": 3, "linestyle": "none"}
        usual |= {"markerfacecolor": colour if is_first or real else "none", "elinewidth": 1.6}
        if not np.isnan(middle[place]):
            ends = [[middle[place] - low[place]], [high[place] - middle[place]]]
            ax.errorbar([middle[place]], [place], xerr=None if np.isnan(ends).any() else ends, **(usual | style))
        ax.annotate(
            _words(decision, name, metric),
            (1.02, place),
            xycoords=ax.get_yaxis_transform(),
            va="center",
            fontsize="small",
            color=colour,
        )
    _frame(ax, names, label, wide=_is_wide(middle, low))
    return ax


def _words(decision: Decision, name: str, metric: str) -> str:
    if name == decision.first:
        return decision.estimate_text(name, metric)
    difference = decision.difference_text(name, metric)
    is_text = any(character.isdigit() for character in difference)
    return difference if is_text else decision.estimate_text(name, metric)


def _axis(decision: Decision, metric: str) -> tuple[float, str]:
    heading, unit = decision.heading(metric), decision.units[metric]
    if metric.startswith("sojourn_time"):
        return 1e3, f"sojourn time {heading} (ms)"
    if unit == "s":
        return 1.0, f"{heading} (s)"
    if unit == "1/s":
        return 1.0, f"{heading} (requests/s)"
    return (100.0, f"{heading} (%)") if metric.endswith("_ratio") else (1.0, heading)


def _is_wide(middle: Any, low: Any) -> bool:
    known = np.concatenate([middle[~np.isnan(middle)], low[~np.isnan(low)]])
    return bool(known.min() > 0 and np.nanmax(middle) / np.nanmin(middle) > _WIDE)


def _frame(ax: Axes, names: list[str], label: str, *, wide: bool) -> None:
    if wide:
        ax.set_xscale("log")
        label += ", logarithmic"
    elif ax.get_xlim()[0] > 0:
        ax.set_xlim(left=0)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)  # the first on top
    ax.set_xlabel(label)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=True, axis="x", color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
