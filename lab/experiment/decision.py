"""A decision: designs side by side, each with its intervals and its difference to the first."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from lab.errors import DomainError
from lab.runs.figures import figure_text, table_text
from lab.runs.run import Run
from lab.runs.slices import slice_sentence
from lab.scenario.scenario import Scenario

METRICS = {
    "sojourn_time_s_p50": "p50",
    "sojourn_time_s_p95": "p95",
    "sojourn_time_s_p99": "p99",
    "goodput_per_s": "goodput",
    "error_ratio": "errors",
    "time_to_recover_s": "time to recover",
    "replicas_mean": "replicas",
    "replicas_peak": "replicas at most",
    "cost_per_hour": "cost per hour",
    "cost_per_million_answers": "cost per million answers",
}
"""What designs are compared by, with the heading of each."""

STATISTICS = ("estimate", "low", "high", "replications", "difference", "difference_low", "difference_high")
_DASH = "\N{EN DASH}"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Decision:
    """All designs of a scenario, simulated in the same world.

    Attributes:
        scenario: whose designs they are.
        runs: design to its Run, in the scenario's order; the first is what the others are compared with.
        table: a row a design; columns (figure, statistic). Of each of ``METRICS`` that there is, in SI units: estimate
            (mean over replications), low and high (95 % interval), replications (how many have the figure: of
            time_to_recover_s, how many recovered), difference to the first design, difference_low and difference_high.
            Of each objective, by its text: met (1 or 0), probability, low and high. NaN where there is none.
        units: figure to its unit.
    """

    scenario: Scenario
    runs: Mapping[str, Run]
    table: pd.DataFrame
    units: Mapping[str, str]

    @property
    def first(self) -> str:
        """The design that the others are compared with."""
        return next(iter(self.runs))

    @property
    def metrics(self) -> tuple[str, ...]:
        """What the designs are compared by, as far as this scenario has it."""
        return tuple(metric for metric in METRICS if metric in self.units)

    @property
    def objectives(self) -> tuple[str, ...]:
        """The objectives, as the table has them."""
        return tuple(str(each) for each in self.table.columns.unique("figure") if each not in METRICS)

    def value(self, design: str, metric: str, statistic: str = "estimate") -> float:
        """Return one number of the table; NaN where there is none.

        Raises:
            DomainError: there is no such design, figure or statistic.
        """
        known = {statistic for figure, statistic in self._columns if figure == metric}
        for what, given, there in (
            ("design", design, list(self.runs)),
            ("figure", metric, [*self.metrics, *self.objectives]),
            ("statistic", statistic, sorted(known)),
        ):
            if given not in there:
                raise DomainError(f"there is no {what} {given!r} here (there are: {', '.join(there)})")
        return float(self.table.loc[design, (metric, statistic)])  # type: ignore[arg-type]  # a cell of numbers

    @property
    def _columns(self) -> list[tuple[str, str]]:
        levels = (map(str, self.table.columns.get_level_values(level)) for level in (0, 1))
        return list(zip(*levels, strict=True))

    def is_different(self, design: str, metric: str) -> bool:
        """Return whether the interval of a design's difference to the first leaves 0 out."""
        low, high = (self.value(design, metric, f"difference_{end}") for end in ("low", "high"))
        return low > 0 or high < 0  # NaN is neither

    def rows(self) -> list[dict[str, str]]:
        """Return each design's figures as texts: mean and half-width of its 95 % interval."""
        return [
            {"design": name, **{self.heading(metric): self.estimate_text(name, metric) for metric in self.metrics}}
            for name in self.runs
        ]

    def difference_rows(self) -> list[dict[str, str]]:
        """Return the other designs' differences to the first as texts; in parentheses those that may be chance."""
        return [
            {"design": name, **{self.heading(metric): self.difference_text(name, metric) for metric in self.metrics}}
            for name in self.runs
            if name != self.first
        ]

    def objective_rows(self) -> list[dict[str, str]]:
        """Return in what share of the replications each objective is met, a column a design."""
        return [
            {"objective": text} | {name: f"{self.value(name, text, 'probability'):.0%}" for name in self.runs}
            for text in self.objectives
        ]

    def heading(self, metric: str) -> str:
        """Return what a figure is called above its column, with the unit where its texts have none."""
        unit = self.units[metric]
        return METRICS[metric] + (f" ({unit.split('/')[0]})" if "/" in unit and unit != "1/s" else "")

    def estimate_text(self, design: str, metric: str) -> str:
        """Return one figure as text, such as ``12.3 ±0.4 ms``; of a design that never recovers, that it does not."""
        have, count = self.value(design, metric, "replications"), len(self.runs[design].replications)
        if metric == "time_to_recover_s" and have < count:
            if have == 0:
                return "never"
            return f"{self._text(metric, self.value(design, metric))} in {have:.0f} of {count}, else never"
        low, high = self.value(design, metric, "low"), self.value(design, metric, "high")
        return _with_half_width(self._text(metric, self.value(design, metric)), (high - low) / 2)

    def difference_text(self, design: str, metric: str) -> str:
        """Return a difference to the first design as text; in parentheses if its interval holds 0."""
        difference = self.value(design, metric, "difference")
        if math.isnan(difference):
            return _DASH
        low, high = (self.value(design, metric, f"difference_{end}") for end in ("low", "high"))
        said = "+" * (difference > 0) + _with_half_width(self._text(metric, difference), (high - low) / 2)
        said = said.replace(" %", " points")  # of percent: no share of the first design's figure
        return said if self.is_different(design, metric) else f"({said})"

    def notes(self) -> list[str]:
        """Return what a reader of the table must know."""
        run = self.runs[self.first]
        count = len(run.replications)
        said = [
            f"Means of {count} replications with 95 % intervals, all designs on the same random numbers; a difference "
            f"in parentheses may be chance."
        ]
        return [*said, *filter(None, [slice_sentence(run.scenario)])]

    def to_dict(self) -> dict[str, Any]:
        """Return everything for machines: JSON values, SI units, None where there is none."""
        designs: dict[str, Any] = {}
        for name in self.runs:
            figures: dict[str, dict[str, float | None]] = {}
            for figure, statistic in self._columns:
                value = self.value(name, figure, statistic)
                figures.setdefault(figure, {})[statistic] = None if math.isnan(value) else value
            designs[name] = {"changes": self.scenario.to_document()["designs"][name], "figures": figures}
        run = self.runs[self.first]
        return {
            "scenario": self.scenario.name,
            "question": self.scenario.question,
            "first": self.first,
            "seed": run.seed,
            "replications": len(run.replications),
            "slice": slice_sentence(run.scenario) or None,
            "units": dict(self.units),
            "designs": designs,
        }

    def __str__(self) -> str:
        parts = [table_text(self.rows())]
        if self.difference_rows():
            parts.append(f"difference to {self.first!r}\n{table_text(self.difference_rows())}")
        if self.objectives:
            parts.append(f"share of replications that meet it\n{table_text(self.objective_rows())}")
        return "\n\n".join([*parts, "\n".join(self.notes())])

    def __repr__(self) -> str:
        return f"Decision({self.scenario.name!r}, {len(self.runs)} designs: {', '.join(self.runs)})"

    def _repr_html_(self) -> str:
        return f"<div><b>{escape(self.scenario.name)}</b> <i>{escape(self.scenario.question)}</i>{_html(self)}</div>"

    def _text(self, metric: str, value: float) -> str:
        return figure_text(value, metric=metric, unit=self.units[metric])


def _with_half_width(text: str, half: float) -> str:
    """Return a figure's text with the half-width of its interval, in the figure's unit.

    >>> _with_half_width("12.3 ms", 0.0004), _with_half_width("49/s", 0.51)
    ('12.3 ±0.4 ms', '49 ±0.51/s')
    """
    number = re.match(r"[-+0-9.,e]+", text)
    if number is None or math.isnan(half):
        return text
    unit = text[number.end() :]
    scale = {" ms": 1e3, " %": 1e2}.get(unit, 1.0)
    two_digits = float(f"{half * scale:.2g}")
    return f"{number[0]} ±{figure_text(two_digits, metric='', unit='')}{unit}"


# Inline and half-transparent: an exported notebook drops style sheets, and its theme may be dark.
_CELL = "padding:.25em .9em .25em 0;text-align:{side};border:0;vertical-align:top;white-space:nowrap"
_QUIET = "opacity:.7;font-size:.88em"


def _html(decision: Decision) -> str:
    heads = ["design", *map(decision.heading, decision.metrics), *decision.objectives]
    rows = ["".join(_cell(escape(head), tag="th", first=not place, wrap=True) for place, head in enumerate(heads))]
    for name in decision.runs:
        cells = [_cell(f"<b>{escape(name)}</b>", first=True, wrap=True)]
        cells += [_cell(_figure(decision, name, metric)) for metric in decision.metrics]
        cells += [_cell(_objective(decision, name, text)) for text in decision.objectives]
        rows.append("".join(cells))
    body = "".join(f'<tr style="background:transparent">{row}</tr>' for row in rows)
    table = f'<table style="border-collapse:collapse;margin:.4em 0;font-size:.92em">{body}</table>'
    notes = "".join(f'<div style="{_QUIET}">{escape(note)}</div>' for note in decision.notes())
    return f'<div style="overflow-x:auto">{table}</div>{notes}'


def _cell(inside: str, *, tag: str = "td", first: bool = False, wrap: bool = False) -> str:
    style = _CELL.format(side="left" if first else "right")
    return f'<{tag} style="{style}{";white-space:normal" if wrap else ""}">{inside}</{tag}>'


def _figure(decision: Decision, name: str, metric: str) -> str:
    said = escape(decision.estimate_text(name, metric))
    if name == decision.first:
        return said
    weight = "bold" if decision.is_different(name, metric) else "normal"
    difference = escape(decision.difference_text(name, metric))
    return f'{said}<br><span style="{_QUIET};font-weight:{weight}">{difference}</span>'


def _objective(decision: Decision, name: str, text: str) -> str:
    met = "met" if decision.value(name, text, "met") else "not met"
    return f'{decision.value(name, text, "probability"):.0%}<br><span style="{_QUIET}">{met}</span>'
