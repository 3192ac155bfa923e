"""What the command line prints: results to stdout, words to stderr."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.runs.figures import figure_text, interval_text, table_text
from lab.runs.run import Run
from lab.runs.slices import slice_sentence

_HEADLINES = (
    "arrival_rate_per_s",
    "throughput_per_s",
    "goodput_per_s",
    "sojourn_time_s_p50",
    "sojourn_time_s_p95",
    "sojourn_time_s_p99",
    "error_ratio",
    "attempts_mean",
    "hit_ratio",
    "waiting_time_s_mean",
)


def say(words: str) -> None:
    """Print words for people to stderr."""
    print(words, file=sys.stderr, flush=True)  # noqa: T201  # the command line's own output


def put(text: str) -> None:
    """Print a result to stdout; a reader that has gone (``| head``) has seen what it wanted."""
    try:
        print(text, flush=True)  # noqa: T201  # the command line's own output
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the last flush finds an ear
        sys.exit(0)


def put_json(document: Any) -> None:
    """Print a result as JSON to stdout."""
    put(json.dumps(document, indent=2, allow_nan=False))


def put_table(rows: Sequence[dict[str, str]]) -> None:
    """Print rows of texts as an aligned table: the first column to the left, the others to the right."""
    if rows:
        put(table_text(rows))


def run_rows(run: Run) -> list[dict[str, str]]:
    """Return the main figures of a Run as texts, with intervals over its replications."""
    summary = run.summary()
    rows = []
    for metric in _HEADLINES:
        for row in summary[summary["metric"] == metric].to_dict("records"):
            style = {"metric": metric, "unit": str(row["unit"])}
            rows.append(
                {
                    "figure": metric,
                    "of": str(row["subject"]),
                    "estimate": figure_text(float(row["estimate"]), **style),
                    "95 % interval": interval_text(float(row["low"]), float(row["high"]), **style),
                    "95 % of runs": interval_text(float(row["prediction_low"]), float(row["prediction_high"]), **style),
                }
            )
    return rows


def objective_rows(*runs: Run) -> list[dict[str, str]]:
    """Return which objectives are met in each world, with the share of replications that meet them."""
    rows = []
    for results in zip(*(run.objectives() for run in runs), strict=True):
        row = {"objective": results[0].text}
        for run, result in zip(runs, results, strict=True):
            value = figure_text(result.value, metric=result.metric, unit=result.unit)
            row[run.world] = f"{'met' if result.met else 'NOT MET'} ({value}; in {result.probability:.0%} of runs)"
        rows.append(row)
    return rows


def keep_and_show(run: Run, *, out: Path | None, overwrite: bool, as_json: bool) -> None:
    """Write a Run to its folder, if there is one, and print its figures."""
    if out is not None:
        run.save(out, overwrite=overwrite)
        say(f"Run: {out}")
    if as_json:
        put_json(run_document(run))
    else:
        put_table(run_rows(run))


def run_document(run: Run) -> dict[str, Any]:
    """Return the figures of a Run for machines: JSON values, SI units, None where there is none."""
    summary = run.summary()
    return {
        "scenario": run.name,
        "world": run.world,
        "seed": run.seed,
        "fingerprint": run.fingerprint(),
        "figures": summary.astype(object).where(summary.notna(), None).to_dict("records"),
        "objectives": [
            {
                "text": each.text,
                "met": each.met,
                "value": None if math.isnan(each.value) else each.value,
                "probability": each.probability,
            }
            for each in run.objectives()
        ],
        "bottleneck": run.bottleneck().sentence,
        "slice": slice_sentence(run.scenario) or None,
    }
