"""A Run as a small card for notebooks: neutral colours that read on a light and on a dark page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import pandas as pd

from lab.runs.figures import figure_text, interval_text
from lab.runs.objectives import ObjectiveResult

_MAIN = (
    "arrival_rate_per_s",
    "throughput_per_s",
    "goodput_per_s",
    "sojourn_time_s_p50",
    "sojourn_time_s_p95",
    "sojourn_time_s_p99",
    "error_ratio",
    "attempts_mean",
    "in_flight",
    "hit_ratio",
    "waiting_time_s_mean",
)

# All inline and half-transparent: an exported notebook drops style sheets, and its theme may be dark.
_CARD = (
    "border:1px solid rgba(128,128,128,.45);border-radius:6px;padding:.7em 1em;max-width:46em;"
    "font-family:system-ui,sans-serif"
)
_CELL = "padding:.15em .9em .15em 0;text-align:{side};border:0"
_QUIET = "opacity:.7"


def run_card(
    *,
    title: str,
    world: str,
    question: str,
    summary: pd.DataFrame,
    objectives: Sequence[ObjectiveResult],
    closing: str,
) -> str:
    """Return the card as HTML; every text is escaped.

    Args:
        title: the scenario's name.
        world: predicted or measured.
        question: the scenario's question, or empty.
        summary: the frame of :func:`lab.runs.summary.summary_frame`.
        objectives: judged, in order.
        closing: a sentence under the table, or empty.
    """
    replications = int(summary["replications"].max())
    head = (
        f'<div style="font-size:1.1em"><b>{escape(title)}</b> {_badge(world, colour="110,110,110")} '
        f'<span style="{_QUIET}">{replications} replication{"" if replications == 1 else "s"}</span></div>'
    )
    asked = f'<div style="margin:.3em 0"><i>{escape(question)}</i></div>' if question else ""
    judged = "".join(_objective(result) for result in objectives)
    closed = f'<div style="margin-top:.5em">{escape(closing)}</div>' if closing else ""
    return f'<div style="{_CARD}">{head}{asked}{_table(summary)}{judged}{closed}</div>'


def _table(summary: pd.DataFrame) -> str:
    rows = [_row(("metric", "of", "mean", "95 % interval"), tag="th")]
    for row in summary.to_dict("records"):
        # Endpoints have their own rows in summary(); a card shows the whole, and each component once.
        whole = row["subject"] == "all" or row["metric"] in ("hit_ratio", "waiting_time_s_mean")
        if row["metric"] in _MAIN and whole:
            metric, unit = str(row["metric"]), str(row["unit"])
            value = figure_text(float(row["estimate"]), metric=metric, unit=unit)
            between = interval_text(float(row["low"]), float(row["high"]), metric=metric, unit=unit)
            rows.append(_row((metric, str(row["subject"]), value, between), tag="td"))
    return f'<table style="border-collapse:collapse;margin:.4em 0;font-size:.92em">{"".join(rows)}</table>'


def _row(cells: tuple[str, str, str, str], *, tag: str) -> str:
    sides = ("left", "left", "right", "right")
    inside = "".join(
        f'<{tag} style="{_CELL.format(side=side)}">{escape(cell)}</{tag}>'
        for cell, side in zip(cells, sides, strict=True)
    )
    return f'<tr style="background:transparent">{inside}</tr>'


def _objective(result: ObjectiveResult) -> str:
    badge = _badge("met", colour="0,130,90") if result.met else _badge("not met", colour="200,80,0")
    value = figure_text(result.value, metric=result.metric, unit=result.unit)
    shares = f"{value}; in {result.probability:.0%} of {result.replications}" + (
        f"; {result.note}" if result.note else ""
    )
    aside = f'<span style="{_QUIET}">({escape(shares)})</span>'
    return f'<div style="margin:.2em 0">{badge} {escape(result.text)} {aside}</div>'


def _badge(text: str, *, colour: str) -> str:
    box = f"background:rgba({colour},.22);border:1px solid rgba({colour},.8);border-radius:4px"
    style = f"{box};padding:0 .45em;font-size:.85em"
    return f'<span style="{style}">{escape(text)}</span>'
