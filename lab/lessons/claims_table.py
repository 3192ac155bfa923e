"""Findings as one table: a row a claim, what was predicted and what was measured, where it holds and where it fails."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from lab.lessons.claims import Finding, Pair
from lab.runs.figures import figure_text

_NOT_MEASURED = "not measured"
_NAMES = {
    "sojourn_time_s_p50": "median time",
    "sojourn_time_s_p95": "p95 time",
    "sojourn_time_s_p99": "p99 time",
    "sojourn_time_s_mean": "mean time",
    "spike_sojourn_time_s_p95": "p95 time in the spike",
    "time_until_done_s_p95": "p95 time until done",
    "waiting_time_s_mean": "mean wait",
    "detection_time_s": "time to detect",
    "error_ratio": "failed",
    "rejected_ratio": "turned away",
    "stale_ratio": "stale",
    "goodput_per_s": "good answers",
    "visits_per_s": "requests",
}


def claims_table(findings: Iterable[Finding]) -> pd.DataFrame:
    """Return a row a claim: what it says, when it holds and fails, predicted and measured.

    Figures stand as ``without the advice -> with it``; lines of a cell belong to the worlds in their order.
    """
    rows: dict[str, dict[str, list[str]]] = {}
    for finding in findings:
        row = rows.setdefault(finding.claim.says, {"holds when": [], "fails when": [], "predicted": [], "measured": []})
        row["holds when" if finding.holds else "fails when"].append(finding.world.when)
        sign = "holds: " if finding.holds else "fails: "
        row["predicted"].append(sign + pair_text(finding.predicted))
        if finding.measured is not None:
            row["measured"].append(sign + pair_text(finding.measured))
    frame = pd.DataFrame(
        {claim: {name: "\n".join(lines) or _NOT_MEASURED for name, lines in row.items()} for claim, row in rows.items()}
    ).T
    return frame.rename_axis("claim")


def pair_text(pair: Pair) -> str:
    """Return a figure without and with the advice as short text.

    >>> pair_text(Pair(figure="sojourn_time_s_p50", unit="s", without=0.4, advised=0.02))
    'median time 400 ms -> 20 ms'
    """
    metric, _, subject = pair.figure.partition("@")
    of = f" of {subject}" if subject and subject != "all" else ""
    values = [
        figure_text(value, metric=metric, unit=pair.unit) for value in (pair.without, pair.advised) if value is not None
    ]
    return f"{_NAMES.get(metric, metric)}{of} {' -> '.join(values)}"
