"""Where requests wait: each component's mean waiting time, both worlds side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.errors import NotEnoughData
from lab.plots.style import Look, axes_or_new, looks_of, tidy
from lab.runs import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_METRIC = "waiting_time_s_mean"


def plot_waiting(
    *runs: Run, level: float = 0.95, labels: Sequence[str] | None = None, ax: Axes | None = None, **style: Any
) -> Axes:
    """Draw the mean waiting time at each component with its interval over replications.

    A predicted Run is a bar, a measured one a marker. Components come in the scenario's order, from the top.

    Args:
        runs: one or more, of either world.
        level: of the intervals (Student t, for the mean); a Run of one replication has none.
        labels: names for the legend, one a Run.
        ax: where to draw; a new Axes by default.
        style: passed to each series.

    Raises:
        NotEnoughData: no Run knows a waiting time.
    """
    looks = looks_of(runs, labels=labels)
    summaries = [_waits(look.run, level) for look in looks]
    components = _components(runs, {name for waits in summaries for name in waits})
    if not components:
        raise NotEnoughData("no visit to any component was admitted in these runs, so no waiting time is known")
    ax = axes_or_new(ax, height=1.2 + 0.5 * len(components))
    row_height = 0.8 / len(looks)
    for place, (look, waits) in enumerate(zip(looks, summaries, strict=True)):
        known = [row for row, name in enumerate(components) if name in waits]
        heights = np.array(known) + (place - (len(looks) - 1) / 2) * row_height
        values = 1e3 * np.array([waits[components[row]] for row in known])
        _draw(ax, look, heights, values, row_height=row_height, style=style)
    ax.set_yticks(range(len(components)), components)
    ax.set_ylim(len(components) - 0.5, -0.5)
    ax.set_xlim(left=0)
    ax.set_xlabel(f"mean waiting time (ms), {level:.0%} interval")
    tidy(ax)
    ax.grid(visible=False, axis="y")
    return ax


def _waits(run: Run, level: float) -> dict[str, tuple[float, float, float]]:
    summary = run.summary(level)
    own = summary[summary["metric"] == _METRIC]
    columns = (own[name] for name in ("subject", "estimate", "low", "high"))
    return {str(name): (value, low, high) for name, value, low, high in zip(*columns, strict=True)}


def _components(runs: Sequence[Run], known: set[str]) -> list[str]:
    written = [name for run in runs for name in run.scenario.get("components", {})]
    return [name for name in dict.fromkeys([*written, *sorted(known)]) if name in known]


def _draw(
    ax: Axes,
    look: Look,
    heights: np.ndarray[Any, Any],
    values: np.ndarray[Any, Any],
    *,
    row_height: float,
    style: dict[str, Any],
) -> None:
    means = values[:, 0]
    # A mean wait is not negative, whatever a symmetric interval says; NaN (one replication) draws no bar.
    reach = np.abs(np.array([means - np.maximum(values[:, 1], 0.0), values[:, 2] - means]))
    usual: dict[str, Any] = {"color": look.colour, "label": look.label}
    if look.is_measured:
        usual |= {"fmt": look.marker, "markersize": 6, "capsize": 3}
        ax.errorbar(means, heights, xerr=reach, **(usual | style))
    else:
        usual |= {"alpha": 0.75, "error_kw": {"elinewidth": 1.2, "ecolor": "#222222"}, "capsize": 3}
        ax.barh(heights, means, height=0.9 * row_height, xerr=reach, **(usual | style))
