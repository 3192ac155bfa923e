"""What is kept of a Run for the ledger: its figures, a value a repeat. Small enough to stay in the repository."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from lab.errors import NotEnoughData
from lab.runs.run import Run
from lab.validation.over_time import FIGURES, over_time
from lab.validation.queueing import QUEUE_FIGURES
from lab.validation.transients import TRANSIENTS

ALWAYS = (
    "throughput_per_s",
    "goodput_per_s",
    "sojourn_time_s_p50",
    "sojourn_time_s_p95",
    "sojourn_time_s_p99",
    "error_ratio",
    "rejected_ratio",
    "attempts_mean",
)
OF_COMPONENTS = ("hit_ratio", "waiting_time_s_mean")
SHARES = tuple(round(share, 3) for share in [0.0, *np.arange(0.05, 0.95, 0.05), 0.95, 0.97, 0.98, 0.99, 0.995, 1.0])
"""The quantiles of the sojourn time that are kept, for pictures."""
_FOLLOWED = ("goodput_per_s", "sojourn_time_s_p95")

Values = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The figures of one world at one load.

    Attributes:
        figures: ``metric@subject`` to its value in each repeat (SI units; NaN where a repeat does not have it).
        units: of each figure.
        series: each figure over time, a row a repeat.
        sojourn_times_s: the quantiles ``SHARES`` of the ok requests' sojourn time, a row a repeat.
        timeline: per second, ``goodput_per_s`` and ``sojourn_time_s_p95``, a row a repeat (NaN where nothing came).
    """

    figures: Mapping[str, Values]
    units: Mapping[str, str]
    series: Mapping[str, tuple[Values, ...]]
    sojourn_times_s: tuple[Values, ...]
    timeline: Mapping[str, tuple[Values, ...]]

    @property
    def repeats(self) -> int:
        """How many repeats (or replications) it holds."""
        return max(len(values) for values in self.figures.values())

    def joined(self, other: Observation) -> Observation:
        """Return both together, as if their repeats were of one measurement."""
        return Observation(
            figures={
                name: values + other.figures[name] for name, values in self.figures.items() if name in other.figures
            },
            units=self.units,
            series={name: rows + other.series[name] for name, rows in self.series.items()},
            sojourn_times_s=self.sojourn_times_s + other.sojourn_times_s,
            timeline={name: rows + other.timeline[name] for name, rows in self.timeline.items()},
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values: six significant digits, None for NaN."""
        return {
            "figures": {name: _plain(values) for name, values in self.figures.items()},
            "units": dict(self.units),
            "series": {name: [_plain(row) for row in rows] for name, rows in self.series.items()},
            "sojourn_times_s": [_plain(row) for row in self.sojourn_times_s],
            "timeline": {name: [_plain(row) for row in rows] for name, rows in self.timeline.items()},
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_dict` gave."""
        return cls(
            figures={name: _values(row) for name, row in document["figures"].items()},
            units=document["units"],
            series={name: tuple(map(_values, rows)) for name, rows in document["series"].items()},
            sojourn_times_s=tuple(map(_values, document["sojourn_times_s"])),
            timeline={name: tuple(map(_values, rows)) for name, rows in document["timeline"].items()},
        )


def observe(run: Run, wanted: Sequence[str] = (), *, only: Sequence[int] | None = None) -> Observation:
    """Return what is kept of a Run.

    Args:
        run: a prediction or a measurement.
        wanted: figures beside the usual ones: ``metric@subject`` as in :meth:`Run.metrics` or of a queue, one of a
            transient, or one over time.
        only: the replications (repeats) to keep; all if not given.

    Raises:
        NotEnoughData: the Run does not have a figure that is wanted.
    """
    kept = list(run.replications) if only is None else list(only)
    metrics = run.metrics()
    metrics = metrics[metrics["replication"].isin(kept)]
    named = [(metric, "all") for metric in ALWAYS]
    found = metrics[["metric", "subject"]].drop_duplicates().itertuples(index=False)
    named += [(str(row.metric), str(row.subject)) for row in found if row.metric in OF_COMPONENTS]
    named += [_named(name) for name in wanted if not _is_computed(name)]
    figures: dict[str, Values] = {}
    units = {}
    for metric, subject in dict.fromkeys(named):
        own = metrics[(metrics["metric"] == metric) & (metrics["subject"] == subject)].set_index("replication")
        if own.empty:
            if f"{metric}@{subject}" in wanted or metric in wanted:
                raise NotEnoughData(f"the {run.world} Run has no {metric} of {subject}, which the case judges")
            continue
        figures[f"{metric}@{subject}"] = tuple(float(own["value"].get(number, math.nan)) for number in kept)
        units[f"{metric}@{subject}"] = str(own["unit"].iloc[0])
    places = [list(run.replications).index(number) for number in kept]
    for name in dict.fromkeys(metric for metric, _ in map(_named, wanted) if metric in TRANSIENTS):
        figure, unit = TRANSIENTS[name]
        values = figure(run)
        figures[f"{name}@all"], units[f"{name}@all"] = tuple(values[place] for place in places), unit
    for name in dict.fromkeys(name for name in wanted if _named(name)[0] in QUEUE_FIGURES):
        metric, subject = _named(name)
        of_queue, units[name] = QUEUE_FIGURES[metric]
        values = of_queue(run, subject)
        figures[name] = tuple(values[place] for place in places)
    series = {
        name: tuple(tuple(rows[place]) for place in places)
        for name, rows in ((name, over_time(name, run)) for name in wanted if name in FIGURES)
    }
    return Observation(
        figures=figures,
        units=units,
        series=series,
        sojourn_times_s=tuple(_quantiles(run, number) for number in kept),
        timeline=_timeline(run, kept),
    )


def _is_computed(name: str) -> bool:
    """Return whether a figure is not one of :meth:`Run.metrics`."""
    return name in FIGURES or _named(name)[0] in (*TRANSIENTS, *QUEUE_FIGURES)


def _named(name: str) -> tuple[str, str]:
    metric, _, subject = name.partition("@")
    return metric, subject or "all"


def _quantiles(run: Run, number: int) -> Values:
    requests = run.requests[run.requests["replication"] == number]
    within = run.window.holds(np.asarray(requests["intended_start_s"])) & np.asarray(requests["outcome"] == "ok")
    times_s = np.asarray(requests["sojourn_time_s"])[within]
    return tuple(map(float, np.quantile(times_s, SHARES))) if times_s.size else (math.nan,) * len(SHARES)


def _timeline(run: Run, kept: Sequence[int]) -> dict[str, tuple[Values, ...]]:
    frame = run.timeline(1.0)
    frame = frame[frame["subject"] == "all"]
    seconds = [float(second) for second in range(math.ceil(run.window.end_s))]
    result = {}
    for metric in _FOLLOWED:
        own = frame[frame["metric"] == metric]
        wide = own.pivot_table(index="replication", columns="time_s", values="value", observed=True)
        wide = wide.reindex(index=list(kept), columns=seconds)
        result[metric] = tuple(tuple(map(float, row)) for row in wide.to_numpy())
    return result


def _plain(row: Sequence[float]) -> list[float | None]:
    return [None if math.isnan(value) else float(f"{value:.6g}") for value in row]


def _values(row: Sequence[float | None]) -> Values:
    return tuple(math.nan if value is None else float(value) for value in row)
