"""Results to matplotlib Axes: predicted solid, measured markers, theory dashed, everywhere.

Each ``plot_x(..., *, ax=None, **style)`` draws on the Axes given, or on a new one, and returns it. None of them shows,
saves or looks for a current figure; matplotlib is imported when the first plot is drawn.
"""

from lab.plots.decision import plot_decision
from lab.plots.replicas import plot_replicas
from lab.plots.sojourn_times import plot_sojourn_times
from lab.plots.timeline import plot_hit_ratio, plot_timeline
from lab.plots.topology import plot_topology, topology_size
from lab.plots.waiting import plot_waiting

__all__ = [
    "plot_decision",
    "plot_hit_ratio",
    "plot_replicas",
    "plot_sojourn_times",
    "plot_timeline",
    "plot_topology",
    "plot_waiting",
    "topology_size",
]
