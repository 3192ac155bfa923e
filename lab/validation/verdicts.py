"""From two observations of one load to its rows and its verdict."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from lab.validation.judge import Row, Verdict, judge
from lab.validation.margins import Margin, Regime, margin
from lab.validation.observation import ALWAYS, OF_COMPONENTS, Observation
from lab.validation.over_time import FIGURES, OverTime


def rows_of(predicted: Observation, measured: Observation, regime: Regime) -> list[Row]:
    """Return a row for each figure that both worlds have; the prediction's first value is the paired one.

    Args:
        predicted: replication 0 was sent what the measurement was; the others give the prediction interval.
        measured: its repeats.
        regime: which margins apply.
    """
    names = [name for name in predicted.figures if name in measured.figures]
    rows = [row for name in sorted(names, key=_place) if (row := _row(name, predicted, measured, regime)) is not None]
    for name in predicted.series:
        rows.append(_over_time(name, predicted.series[name][0], measured.series[name]))
    return rows


def verdict_of(rows: Sequence[Row]) -> Verdict:
    """Return pass if there is a judged figure and each of them passes."""
    judged = [row.verdict for row in rows if row.verdict is not Verdict.SHOWN]
    return Verdict.PASS if judged and all(each is Verdict.PASS for each in judged) else Verdict.MISS


def worst(rows: Sequence[Row]) -> Row:
    """Return the row that uses up most of its margin, misses before others."""
    judged = [row for row in rows if row.margin is not None]
    return max(
        judged, key=lambda row: (row.verdict is Verdict.MISS, abs(row.error) / row.margin.value if row.margin else 0)
    )


def _place(name: str) -> int:
    metric = name.partition("@")[0]
    order = (*ALWAYS, *OF_COMPONENTS)
    return order.index(metric) if metric in order else len(order)


def _row(name: str, predicted: Observation, measured: Observation, regime: Regime) -> Row | None:
    metric, _, subject = name.partition("@")
    ours = predicted.figures[name]
    theirs = [value for value in measured.figures[name] if not math.isnan(value)]
    if not theirs or math.isnan(ours[0]):
        return None  # nothing of the kind happened in one of the worlds: it has no value to compare
    return judge(
        name=(metric, subject, measured.units[name]),
        predicted=ours[0],
        replications=[value for value in ours if not math.isnan(value)],
        repeats=theirs,
        margin=margin(metric, regime),
    )


def _over_time(name: str, predicted: Sequence[float], repeats: Sequence[Sequence[float]]) -> Row:
    """Judge a figure over time: by the share of equal places, or by the largest difference at any place."""
    rule = FIGURES[name]
    found = [_agreement(rule, predicted, repeat) for repeat in repeats]
    ideal = 1.0 if rule.agreement == "equal" else 0.0
    measured = statistics.median(found)
    room = Margin(value=1.0 - rule.bound if rule.agreement == "equal" else rule.bound, kind="absolute")
    passes = abs(ideal - measured) <= room.value + 1e-12
    word = "share of equal places" if rule.agreement == "equal" else "largest difference at a place"
    return Row(
        metric=name,
        subject="all",
        unit="",
        predicted=ideal,
        measured=measured,
        error=ideal - measured,
        noise=statistics.stdev(found) if len(found) > 1 else math.nan,
        low=math.nan,
        high=math.nan,
        margin=room,
        verdict=Verdict.PASS if passes else Verdict.MISS,
        basis=f"{word}, median over {len(found)} repeats",
    )


def _agreement(rule: OverTime, predicted: Sequence[float], repeat: Sequence[float]) -> float:
    pairs = [(a, b) for a, b in zip(predicted, repeat, strict=True) if not (math.isnan(a) or math.isnan(b))]
    if rule.agreement == "equal":
        return sum(a == b for a, b in pairs) / len(pairs)
    return max(abs(a - b) for a, b in pairs)
