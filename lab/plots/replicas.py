"""A fleet over time: how many replicas are ready, boot and drain, how many are wanted, and what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lab.errors import DomainError, NotEnoughData
from lab.plots.style import BLUE, GREY, ORANGE, SKY, VERMILLION, axes_or_new, tidy
from lab.runs import Run
from lab.runs.fleets import steps_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LAYERS = (
    ("replicas_ready", "ready", BLUE),
    ("replicas_starting", "booting", SKY),
    ("replicas_draining", "draining", ORANGE),
)
_EVENTS = (
    "crash",
    "restart",
    "scale",
    "hang",
    "slow_down",
    "bad_deploy",
    "quota",
    "quota_reached",
    "hang_over",
    "slow_down_over",
    "bad_deploy_over",
    "quota_over",
)
_LEVELS = 3


def plot_replicas(
    run: Run, *, component: str | None = None, replication: int = 0, ax: Axes | None = None, **style: Any
) -> Axes:
    """Draw the fleet of one service in one replication: ready, booting and draining replicas on top of each other.

    The dashed line is the number that is wanted; where it lies above the stack, the quota or a boot is in the way.
    Faults and denials of this service stand as marks at the top.

    Args:
        run: a predicted Run.
        component: the service; may be left out where one alone has a fleet that changes.
        replication: which one.
        ax: where to draw; a new Axes by default.
        style: passed to the line of what is wanted.

    Raises:
        DomainError: several services have fleets that change, and none was named.
        NotEnoughData: no such fleet changes in this run.
    """
    from matplotlib.ticker import MaxNLocator  # here, to keep importing the lab quick

    name = _service(run, component)
    one = run.only(replication)
    ends_s = run.window.end_s
    followed = [steps_of(one.samples, component=name, gauge=gauge)[0] for gauge, _, _ in _LAYERS]
    times = np.unique(np.concatenate(followed))
    grid = np.append(times, ends_s)
    ax = axes_or_new(ax)
    base = np.zeros(len(grid))
    for gauge, label, colour in _LAYERS:
        values = _at(grid, *steps_of(one.samples, component=name, gauge=gauge))
        ax.fill_between(grid, base, base + values, step="post", color=colour, alpha=0.75, linewidth=0, label=label)
        base = base + values
    wanted_s, wanted = steps_of(one.samples, component=name, gauge="replicas_wanted")
    usual: dict[str, Any] = {"color": GREY, "linestyle": "--", "linewidth": 1.6, "where": "post", "label": "wanted"}
    ax.step(np.append(wanted_s, ends_s), np.append(wanted, wanted[-1]), **(usual | style))
    top = max(base.max(), wanted.max())
    ax.set_ylim(0, top * 1.5 + 0.5)
    _mark_events(ax, one, name, height=top * 1.08 + 0.2)
    ax.set_xlim(0, ends_s)
    ax.set_xlabel("time (s)")
    ax.set_ylabel(f"replicas of {name}")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    tidy(ax)
    return ax


def _service(run: Run, component: str | None) -> str:
    samples = run.samples
    changing = sorted(set(samples.loc[samples["gauge"] == "replicas_wanted", "component"].astype(str)))
    if component is not None and component in changing:
        return component
    if not changing or component is not None:
        what = f"the fleet of {component!r}" if component is not None else "any fleet"
        raise NotEnoughData(
            f"{run!r} does not follow {what}: only services with an autoscaler or a fault have one that changes "
            f"(here: {', '.join(changing) or 'none'})"
        )
    if len(changing) > 1:
        raise DomainError(f"the fleets of {', '.join(changing)} change; say which by component=")
    return changing[0]


def _at(times: Any, steps_s: Any, values: Any) -> Any:
    """What a step function reads at these times."""
    places = np.searchsorted(steps_s, times, side="right") - 1
    return np.where(places >= 0, values[np.maximum(places, 0)], 0.0)


def _mark_events(ax: Axes, run: Run, name: str, *, height: float) -> None:
    own = run.events[(run.events["component"] == name) & run.events["kind"].isin(_EVENTS)]
    words: dict[float, list[str]] = {}
    for time_s, kind in zip(own["time_s"], own["kind"].astype(str), strict=True):
        words.setdefault(float(time_s), []).append(kind.replace("_", " "))
    for place, (time_s, said) in enumerate(words.items()):
        ax.plot([time_s], [height], marker="v", color=VERMILLION, markersize=6, linestyle="none")
        ax.annotate(
            ", ".join(dict.fromkeys(said)),
            (time_s, height),
            xytext=(3, 5 + 9 * (place % _LEVELS)),  # or words close in time would lie on each other
            textcoords="offset points",
            fontsize="x-small",
            color=VERMILLION,
        )
