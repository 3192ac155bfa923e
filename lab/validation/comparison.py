"""The outcome of comparing two Runs: rows, objectives, bottlenecks, verdict."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

import pandas as pd

from lab.runs.figures import figure_text, interval_text
from lab.runs.run import Run
from lab.validation.judge import Row, Verdict
from lab.validation.margins import Regime
from lab.validation.verdicts import verdict_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A prediction beside a measurement.

    Attributes:
        predicted, measured: the two Runs.
        rows: one a figure.
        regime: which margins apply.
        paired: whether both worlds were sent the same requests with the same demands.
        invalid: why the measurement may not judge; empty if it may.
    """

    predicted: Run
    measured: Run
    rows: tuple[Row, ...]
    regime: Regime
    paired: bool
    invalid: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """Pass if every judged figure passes, inconclusive if the measurement is not valid."""
        if self.invalid:
            return Verdict.INCONCLUSIVE
        return verdict_of(self.rows)

    def to_frame(self) -> pd.DataFrame:
        """Return the rows as a frame: SI units, errors as ratios."""
        records = [asdict(row) for row in self.rows]
        for record in records:
            record["margin"] = record["margin"]["value"] if record["margin"] else float("nan")
            record["verdict"] = str(record["verdict"])
        return pd.DataFrame(records)

    def table(self) -> list[dict[str, str]]:
        """Return the rows as texts for people: what is printed, and what the report shows."""
        return [_texts(row) for row in self.rows]

    def to_markdown(self) -> str:
        """Return the table and the sentences as Markdown."""
        rows = self.table()
        lines = [" | ".join(rows[0]), " | ".join(["---"] + ["---:"] * (len(rows[0]) - 1))]
        lines += [" | ".join(row.values()) for row in rows]
        table = "\n".join(f"| {line} |" for line in lines)
        return table + "\n\n" + "\n".join(f"- {sentence}" for sentence in self.sentences()) + "\n"

    def sentences(self) -> list[str]:
        """Return the verdict and both worlds' bottlenecks in words."""
        pairing = (
            "paired: same requests, same demands" if self.paired else "not paired: each world drew its own requests"
        )
        said = [f"Verdict: {self.verdict} ({self.regime} margins; {pairing})."]
        said += [f"The measurement may not judge: {reason}." for reason in self.invalid]
        said += [f"{run.world.capitalize()}: {run.bottleneck().sentence}" for run in self.sides]
        return said

    @property
    def sides(self) -> tuple[Run, Run]:
        """The two Runs that the rows set side by side: of a paired prediction the replication that was measured."""
        return (self.predicted.only(0) if self.paired else self.predicted, self.measured)

    def to_dict(self) -> dict[str, Any]:
        """Return everything for machines: JSON values, SI units, None where there is no figure."""
        frame = self.to_frame()
        rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
        return {
            "scenario": self.predicted.name,
            "verdict": str(self.verdict),
            "regime": str(self.regime),
            "paired": self.paired,
            "invalid": list(self.invalid),
            "rows": rows,
            "objectives": {
                run.world: [{"text": each.text, "met": each.met} for each in run.objectives()]
                for run in (self.predicted, self.measured)
            },
            "bottleneck": {run.world: run.bottleneck().sentence for run in self.sides},
        }

    def _repr_html_(self) -> str:
        rows = self.table()
        head = "".join(f"<th>{escape(title)}</th>" for title in rows[0])
        body = "".join("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row.values()) + "</tr>" for row in rows)
        words = "".join(f"<p>{escape(sentence)}</p>" for sentence in self.sentences())
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{words}"


def _texts(row: Row) -> dict[str, str]:
    return {
        "figure": figure_name(row),
        "predicted": figure_text(row.predicted, metric=row.metric, unit=row.unit),
        "measured": figure_text(row.measured, metric=row.metric, unit=row.unit),
        "error": scaled_text(row.error, row),
        "noise floor": scaled_text(row.noise, row, signed=False),
        "95 % prediction": interval_text(row.low, row.high, metric=row.metric, unit=row.unit),
        "margin": "" if row.margin is None else scaled_text(row.margin.value, row, signed=False),
        "verdict": "" if row.verdict is Verdict.SHOWN else str(row.verdict),
    }


def figure_name(row: Row) -> str:
    """Return the name of a row's figure for people."""
    words = row.metric.removesuffix("_per_s").replace("_s_", " ").replace("_", " ")
    return words if row.subject == "all" else f"{words} of {row.subject}"


def scaled_text(value: float, row: Row, *, signed: bool = True) -> str:
    """Return an error, a noise or a margin on its row's scale: in percent, in milliseconds, or as a plain number."""
    sign = "+" if signed else ""
    if math.isnan(value):
        return "-"
    if row.margin is not None and row.margin.kind == "relative":
        return f"{value * 100:{sign}.1f} %"
    return f"{value * 1e3:{sign}.2f} ms" if row.unit == "s" else f"{value:{sign}.3f}"
