"""``lab decide``: the designs of a scenario side by side, each with its difference to the first."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.options import CLAIM_FAILED, Jobs, Json, Overwrite, ScenarioFile, Seed, Unstable
from lab.cli.output import put, put_json, say
from lab.errors import UsageError
from lab.runs.storage import check_replaceable

if TYPE_CHECKING:
    from lab.experiment.decision import Decision


def decide(  # noqa: PLR0913, PLR0917  # the options of the command
    scenario: ScenarioFile,
    replications: Annotated[
        int | None, typer.Option(min=2, help="Independent replications of each design; default: the scenario's.")
    ] = None,
    seed: Seed = None,
    jobs: Jobs = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the Run of each design, the decision (JSON) and a report.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 if no design meets every objective.")] = False,
    allow_unstable: Unstable = False,
) -> None:
    """Decide: all designs of a scenario in the same world, with intervals and differences to the first."""
    from lab.experiment.decide import decide as run_decision
    from lab.scenario.reader import read_scenario

    described = read_scenario(scenario)
    folders = {} if out is None else {name: out / _slug(number, name) for number, name in enumerate(described.designs)}
    for folder in folders.values():
        check_replaceable(folder, overwrite=overwrite)
    decision = run_decision(described, replications=replications, seed=seed, n_jobs=jobs, allow_unstable=allow_unstable)
    if out is not None:
        _keep(decision, out, folders, overwrite=overwrite)
    if as_json:
        put_json(decision.to_dict())
    else:
        put(str(decision))
    if check and not any(
        all(decision.value(name, text, "met") for text in decision.objectives) for name in decision.runs
    ):
        raise typer.Exit(CLAIM_FAILED)


def _slug(number: int, name: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return f"{number:02d}_{words}" if words else f"{number:02d}"


def _keep(decision: Decision, out: Path, folders: dict[str, Path], *, overwrite: bool) -> None:
    from lab.report import write_report

    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, folder in folders.items():
            decision.runs[name].save(folder, overwrite=overwrite)
        text = json.dumps(decision.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        (out / "decision.json").write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{out}: cannot be written to ({error.strerror}); name another folder by --out") from error
    write_report(decision, out / "report.html")
    say(f"Runs: {', '.join(str(folder) for folder in folders.values())}\nReport: {out / 'report.html'}")
