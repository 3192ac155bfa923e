"""``lab validate``: the matrix of models beside their real counterparts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.options import CLAIM_FAILED, INCONCLUSIVE, Json
from lab.cli.output import put_json, put_table, say
from lab.errors import UsageError

if TYPE_CHECKING:
    from lab.validation.ledger import CaseRecord

CASES, RECORDS = Path("scenarios/validation/cases"), Path("measurements/matrix")
LEDGER, PAGE, SESSION = Path("measurements/ledger.jsonl"), Path("docs/validation.md"), Path("out/validation")


def validate(  # noqa: PLR0913, PLR0917  # the options of the command
    names: Annotated[list[str] | None, typer.Argument(metavar="[CASE]...", help="Cases; all if none is named.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few loads, two repeats: minutes. Changes no record.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Every load, five repeats: keeps records and pages.")] = False,
    recorded: Annotated[
        bool, typer.Option("--recorded", help="Judge the simulator against the recorded measurements; no server.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do not go on with an interrupted matrix.")] = False,
    cases: Annotated[Path, typer.Option(help="Folder of the cases.")] = CASES,
    records: Annotated[Path, typer.Option(help="Folder of the records.")] = RECORDS,
    session: Annotated[
        Path, typer.Option(help="Folder for what is under way; an interrupted matrix goes on there.")
    ] = SESSION,
    as_json: Json = False,
) -> None:
    """Validate: every model beside its real counterpart; exit 0 if all pass, 1 a miss, 3 inconclusive."""
    from lab.validation.ledger import read_records
    from lab.validation.recorded import judge_again

    if sum((quick, full, recorded)) != 1:
        raise UsageError(
            "lab validate: give one of --quick (minutes), --full (an hour or two) and --recorded (no server)"
        )
    chosen = tuple(names or ())
    if recorded:
        _finish(judge_again(read_records(records, chosen)), as_json=as_json)
        return
    _finish(_measured(chosen, quick=quick, fresh=fresh, cases=cases, records=records, session=session), as_json=as_json)


def _measured(
    names: tuple[str, ...], *, quick: bool, fresh: bool, cases: Path, records: Path, session: Path
) -> Iterator[CaseRecord]:
    """Yield the records of the cases as they are measured; a full matrix then renews the pages."""
    import shutil

    from lab.report.matrix import write_pages
    from lab.validation.case import read_cases
    from lab.validation.ledger import read_records
    from lab.validation.matrix import Session, run_matrix

    folder = session / ("quick" if quick else "full")
    if (fresh or quick) and folder.exists():
        shutil.rmtree(folder)
    found = [case for case in read_cases(cases, names) if case.chosen(quick=quick)]
    if not found:
        raise UsageError(f"{', '.join(names)}: has no load in the quick matrix; measure it with --full")
    kept = folder / "records" if quick else records
    yield from run_matrix(found, Session(folder=folder, records=kept, ledger=None if quick else LEDGER, quick=quick))
    if not quick:
        write_pages(read_records(records), PAGE)
        say(f"{PAGE} is renewed; {folder} holds the session (--fresh measures anew)")


def _finish(records: Iterable[CaseRecord], *, as_json: bool) -> None:
    from lab.validation.judge import Verdict

    said = []
    rows: list[dict[str, str]] = []
    for record in records:
        said.append(record.verdict)
        rows += _rows(record)
    if as_json:
        put_json(rows)
    else:
        put_table(rows)
    if Verdict.MISS in said:
        raise typer.Exit(CLAIM_FAILED)
    if Verdict.INCONCLUSIVE in said:
        raise typer.Exit(INCONCLUSIVE)


def _rows(record: CaseRecord) -> list[dict[str, str]]:
    from lab.validation.comparison import figure_name, scaled_text
    from lab.validation.verdicts import worst

    rows = []
    for load in record.loads:
        row = worst(load.rows) if load.rows else None
        rows.append(
            {
                "case": record.case,
                "load": load.load,
                "repeats": str(load.measured.repeats if load.measured else 0),
                "tightest figure": figure_name(row) if row else "-",
                "error": scaled_text(row.error, row) if row else "-",
                "noise": scaled_text(row.noise, row, signed=False) if row else "-",
                "margin": scaled_text(row.margin.value, row, signed=False) if row and row.margin else "-",
                "verdict": str(load.verdict),
            }
        )
    return rows
