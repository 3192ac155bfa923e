"""The drawings that every report has, from one or more Runs of a scenario."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.experiment.decision import Decision
from lab.plots import (
    plot_decision,
    plot_hit_ratio,
    plot_sojourn_times,
    plot_timeline,
    plot_topology,
    plot_waiting,
    topology_size,
)
from lab.report.page import Card
from lab.runs import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_READING = "Line: mean of the replications, with their band. Markers: measured."


def cards_of(*runs: Run) -> list[Card]:
    """Return the topology, the timelines of both worlds over each other, sojourn times, waits and hit ratios.

    A drawing whose data no Run has (a hit ratio without a cache) is left out.

    Raises:
        NotEnoughData: a Run has no request in its window.
    """
    return [*_topology(runs[0]), *_over_time(runs), *_waits(runs)]


def cards_of_decision(decision: Decision) -> list[Card]:
    """Return a drawing of each figure that a decision compares designs by, if any design has it."""
    cards = []
    for metric in decision.metrics:
        if decision.table[metric]["estimate"].notna().any():
            figure, ax = _blank(height=1.1 + 0.42 * len(decision.runs))
            plot_decision(decision, metric=metric, ax=ax)
            against = f"the difference to {decision.first!r}, in parentheses if it may be chance"
            caption = f"95 % intervals; at the right {against}."
            cards.append(Card(title=decision.heading(metric).capitalize(), figure=figure, caption=caption))
    return cards


def _topology(run: Run) -> Iterator[Card]:
    width, height = topology_size(run.scenario)
    figure, ax = _blank(width=width, height=height)
    plot_topology(run.scenario, ax=ax)
    yield Card(title="Topology", figure=figure, caption="A dashed arrow is taken on a cache miss only.")


def _over_time(runs: tuple[Run, ...]) -> Iterator[Card]:
    known = [_known(run) for run in runs]
    for title, metric in (("Goodput over time", "goodput_per_s"), ("Sojourn time over time", "sojourn_time_s_p95")):
        if all((metric, "all") in each for each in known):
            figure, ax = _blank()
            plot_timeline(*runs, metric=metric, ax=ax)
            yield Card(title=title, figure=figure, caption=_READING)
    for cache in sorted({subject for each in known for metric, subject in each if metric == "hit_ratio"}):
        figure, ax = _blank()
        there = [run for run, each in zip(runs, known, strict=True) if ("hit_ratio", cache) in each]
        plot_hit_ratio(*there, component=cache, ax=ax)
        yield Card(title=f"Hit ratio of {cache} over time", figure=figure, caption=_READING)


def _known(run: Run) -> set[tuple[str, str]]:
    """Metric and subject of what the run tells over time."""
    timeline = run.timeline()
    return set(zip(timeline["metric"], timeline["subject"], strict=True))


def _waits(runs: tuple[Run, ...]) -> Iterator[Card]:
    if all((run.metrics()["metric"] == "sojourn_time_s_p99").any() for run in runs):
        figure, ax = _blank()
        plot_sojourn_times(*runs, ax=ax)
        caption = "Share of the ok answers that took longer; dotted lines: where the p50, p95 and p99 are read."
        yield Card(title="Sojourn times", figure=figure, caption=caption)
    if any((run.metrics()["metric"] == "waiting_time_s_mean").any() for run in runs):
        figure, ax = _blank()
        plot_waiting(*runs, ax=ax)
        yield Card(
            title="Waiting at each component",
            figure=figure,
            caption="Mean wait of the admitted visits, with its 95 % interval over replications.",
        )
    named = [found.component for found in (run.bottleneck() for run in runs if run.has_visits) if not found.is_healthy]
    for component in dict.fromkeys(name for name in named if name):
        figure, ax = _blank()
        there = [run for run in runs if ("number_waiting_mean", component) in _known(run)]
        plot_timeline(*there, metric="number_waiting_mean", subject=component, ax=ax)
        yield Card(title=f"Queue at the bottleneck, {component}", figure=figure, caption=_READING)


def _blank(width: float = 7.0, height: float = 3.8) -> tuple[Figure, Axes]:
    """A figure that no window system and no list of open figures knows of, so that it goes when the report is done."""
    from matplotlib.figure import Figure  # here, so that importing lab.report stays quick

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()
