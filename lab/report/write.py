"""A Run, or a comparison of two, as a report file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_never

from lab.errors import UsageError
from lab.experiment.decision import Decision
from lab.report.cards import cards_of, cards_of_decision
from lab.report.page import Page, render
from lab.runs import ObjectiveResult, Run
from lab.runs.figures import figure_text, interval_text
from lab.runs.slices import slice_sentence
from lab.validation.comparison import Comparison


def write_report(subject: Comparison | Decision | Run | Page, path: str | Path) -> Path:
    """Write one self-contained HTML file and return its path; an older file of that name is replaced.

    Args:
        subject: a comparison, a decision, a Run of either world, or a page made by hand.
        path: the file; its folder is made if need be.

    Raises:
        UsageError: the file cannot be written.
    """
    text = render(page_of(subject))
    file = Path(path)
    partial = file.with_name(f".{file.name}.partial-{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, file)  # so that nobody ever reads half a report
    except OSError as error:
        raise UsageError(
            f"{file}: the report could not be written ({error.strerror or error}); choose a file that may be written to"
        ) from error
    finally:
        if partial.is_file():
            partial.unlink()
    return file


def page_of(subject: Comparison | Decision | Run | Page) -> Page:
    """Return what the report of a comparison, a decision or a Run says."""
    match subject:
        case Page():
            return subject
        case Run():
            return _page_of_run(subject)
        case Comparison():
            return _page_of_comparison(subject)
        case Decision():
            return _page_of_decision(subject)
        case _:
            assert_never(subject)


def _page_of_run(run: Run) -> Page:
    summary = run.summary().to_dict("records")
    figures = []
    for row in summary:
        style = {"metric": str(row["metric"]), "unit": str(row["unit"])}
        figures.append(
            {
                "figure": str(row["metric"]),
                "of": str(row["subject"]),
                "mean": figure_text(float(row["estimate"]), **style),
                "95 % interval": interval_text(float(row["low"]), float(row["high"]), **style),
                "95 % of runs": interval_text(float(row["prediction_low"]), float(row["prediction_high"]), **style),
            }
        )
    return _page((run,), answers=[run.bottleneck().sentence] if run.has_visits else [], figures=figures)


def _page_of_comparison(comparison: Comparison) -> Page:
    runs = (comparison.predicted, comparison.measured)
    return _page(runs, answers=comparison.sentences(), figures=comparison.table())


def _page_of_decision(decision: Decision) -> Page:
    scenario = decision.scenario.to_document()
    runs = decision.runs.items()
    return Page(
        title=f"{decision.scenario.name}: {len(decision.runs)} designs",
        question=decision.scenario.question,
        answers=decision.notes(),
        figures=[*decision.rows(), *_against_first(decision)],
        objectives=decision.objective_rows(),
        cards=cards_of_decision(decision),
        notes={
            **_said_of(scenario),
            "Where requests wait": [f"{name}: {run.bottleneck().sentence}" for name, run in runs if run.has_visits],
        },
        documents={"Scenario": scenario},
    )


def _against_first(decision: Decision) -> list[dict[str, str]]:
    return [row | {"design": f"{row['design']}: difference"} for row in decision.difference_rows()]


def _page(runs: tuple[Run, ...], *, answers: list[str], figures: list[dict[str, str]]) -> Page:
    scenario = runs[0].scenario
    unobserved = [f"{run.world}: {what}" for run in runs for what in run.unobserved]
    return Page(
        title=f"{runs[0].name}: {' and '.join(run.world for run in runs)}",
        question=str(scenario.get("question") or ""),
        answers=[*answers, *filter(None, [slice_sentence(scenario)])],
        figures=figures,
        objectives=_objectives(runs),
        cards=cards_of(*runs),
        notes={
            **_said_of(scenario),
            "Not observed": unobserved,
        },
        documents={"Scenario": scenario, **{f"Provenance, {run.world}": run.provenance for run in runs}},
    )


def _said_of(scenario: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        "Facts": [f"{fact['says']} ({fact['source']})" for fact in scenario.get("facts") or ()],
        "Assumptions": list(scenario.get("assumptions") or ()),
        "Not modelled": list(scenario.get("not_modelled") or ()),
    }


def _objectives(runs: tuple[Run, ...]) -> list[dict[str, str]]:
    """Each objective in each world, the worlds one below the other."""
    judged = zip(*(run.objectives() for run in runs), strict=True)
    return [_judged(run, result) for results in judged for run, result in zip(runs, results, strict=True)]


def _judged(run: Run, result: ObjectiveResult) -> dict[str, str]:
    return {
        "objective": result.text,
        "world": run.world,
        "value": figure_text(result.value, metric=result.metric, unit=result.unit),
        "share of runs that meet it": f"{result.probability:.0%} of {result.replications}",
        "95 % interval of the share": f"{result.probability_low:.0%} to {result.probability_high:.0%}",
        "note": result.note,
        "verdict": "met" if result.met else "not met",
    }
