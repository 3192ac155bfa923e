"""One look for all plots: colours that colour-blind readers tell apart, and each world's own manner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import DomainError
from lab.runs import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The eight colours of Okabe and Ito, "Color Universal Design" (2008), by their names there.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"

GREY = "#666666"
_PREDICTED = (BLUE, GREEN, PURPLE, SKY)
_MEASURED = (VERMILLION, BLACK, ORANGE, PURPLE)
_MARKERS = ("o", "s", "^", "D")

AXIS_NAMES = {
    "arrival_rate_per_s": "arrival rate",
    "throughput_per_s": "throughput",
    "goodput_per_s": "goodput",
    "errors_per_s": "errors",
    "sojourn_time_s_p50": "sojourn time p50",
    "sojourn_time_s_p95": "sojourn time p95",
    "number_waiting_mean": "number waiting",
    "number_in_service_mean": "number in service",
    "hit_ratio": "hit ratio",
    "full_answer_ratio": "full answers",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How one Run is drawn: its colour, its marker (for a measured one) and its name in the legend."""

    run: Run
    colour: str
    marker: str
    label: str

    @property
    def is_measured(self) -> bool:
        """Whether it is drawn by markers rather than by a line."""
        return self.run.world == "measured"


def looks_of(runs: Sequence[Run], *, labels: Sequence[str] | None) -> list[Look]:
    """Return how each Run is drawn: by its world, and in its own colour among that world's Runs.

    Raises:
        DomainError: there is no Run, more than four of one world, or another number of labels.
    """
    if not runs:
        raise DomainError("a plot needs at least one Run")
    if labels is not None and len(labels) != len(runs):
        raise DomainError(f"{len(labels)} labels for {len(runs)} Runs; give each Run one")
    drawn: list[Look] = []
    for place, run in enumerate(runs):
        number = sum(look.run.world == run.world for look in drawn)
        if number >= len(_PREDICTED):
            raise DomainError(
                f"more than {len(_PREDICTED)} {run.world} Runs in one plot cannot be told apart; draw fewer"
            )
        colour = (_MEASURED if run.world == "measured" else _PREDICTED)[number]
        label = labels[place] if labels is not None else _label(run, runs)
        drawn.append(Look(run=run, colour=colour, marker=_MARKERS[number], label=label))
    return drawn


def _label(run: Run, runs: Sequence[Run]) -> str:
    """The world alone if it tells the Runs apart, else the scenario's name, else both."""
    worlds, names = [each.world for each in runs], [each.name for each in runs]
    if len(set(worlds)) == len(runs):
        return run.world
    return run.name if len(set(names)) == len(runs) else f"{run.name}, {run.world}"


def axes_or_new(ax: Axes | None, *, width: float = 7.0, height: float = 3.6) -> Axes:
    """Return the Axes given, or that of a new figure of this size in inches."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt  # here, so that importing lab.plots stays quick

    _, fresh = plt.subplots(figsize=(width, height), layout="constrained")
    return fresh


def tidy(ax: Axes) -> None:
    """Leave out the frame that carries no data, add a quiet grid, and put the legend above the data."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(visible=True, color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.legend(
        frameon=False,
        fontsize="small",
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=_legend_columns(ax),
        borderaxespad=0.2,
    )


# How many characters of the small font an inch holds, and how many a legend's key and gaps take.
_CHARACTERS_PER_INCH, _KEY_CHARACTERS = 13, 9


def _legend_columns(ax: Axes) -> int:
    """As many as fit above the data: a legend wider than that would make the layout squeeze the plot."""
    labels = ax.get_legend_handles_labels()[1]
    longest = max((len(label) for label in labels), default=0) + _KEY_CHARACTERS
    return int(min(max(1, len(labels)), max(1, axes_size(ax)[0] * _CHARACTERS_PER_INCH // longest)))


def axes_size(ax: Axes) -> tuple[float, float]:
    """Return the width and height of the Axes in inches, as laid out so far."""
    figure = ax.get_figure(root=True)
    if figure is None:
        raise DomainError("these Axes belong to no figure any more, so nothing can be drawn on them")
    width, height = figure.get_size_inches()
    box = ax.get_position()
    return float(width * box.width), float(height * box.height)


def axis_scale(metric: str, *, unit: str, subject: str = "all") -> tuple[float, str]:
    """Return the factor from SI units and the axis label, in what a reader expects.

    >>> axis_scale("sojourn_time_s_p95", unit="s")
    (1000.0, 'sojourn time p95 (ms)')
    >>> axis_scale("number_waiting_mean", unit="", subject="edge")
    (1.0, 'number waiting at edge')
    """
    name = AXIS_NAMES.get(metric, metric)
    of = "" if subject == "all" else f" at {subject}"
    if unit == "s":
        return 1e3, f"{name}{of} (ms)"
    if unit == "1/s":
        return 1.0, f"{name}{of} (requests/s)"
    if metric.endswith("_ratio"):
        return 100.0, f"{name}{of} (%)"
    return 1.0, f"{name}{of}"
