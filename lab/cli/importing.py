"""``lab import``: the measured runs of others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from lab.cli.options import Json, Out
from lab.cli.output import keep_and_show, say
from lab.errors import UsageError
from lab.runs.importers.kinds import Format

_TOLD = 10


def import_(  # noqa: PLR0913, PLR0917  # the options of the command
    kind: Annotated[Format, typer.Argument(metavar="FORMAT", help=", ".join(get_args(Format)))],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The log.")],
    out: Out = None,
    schedule: Annotated[Path | None, typer.Option(help="CSV to write the schedule to, for a replay workload.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    warm_up: Annotated[str, typer.Option(help="What to leave out at the begin, such as 10s.")] = "0s",
    stamped_at: Annotated[Literal["start", "end"], typer.Option(help="jtl: what timeStamp is of a sample.")] = "start",
    duration_unit: Annotated[
        Literal["s", "ms", "us"] | None, typer.Option(help="common: unit of the duration that ends each line.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Import: read the log of a load tool, a load balancer or a tracer as a measured Run."""
    from lab.runs.importers import import_file

    imported = import_file(file, kind, stamped_at=stamped_at, duration_unit=duration_unit)
    for problem in imported.problems[:_TOLD]:
        say(f"left out: {problem}")
    if imported.left_out:
        total = len(imported.answers) + imported.left_out
        say(f"{imported.left_out} of {total} rows were left out; the Run's provenance says so too")
    for note in imported.notes:
        say(f"note: {note}")
    if schedule is not None:
        if schedule.exists() and not overwrite:
            raise UsageError(f"{schedule}: exists already; name another file, or replace it by --overwrite")
        imported.schedule().to_csv(schedule, index=False)
        say(f"Schedule: {schedule}")
        if out is None:
            return
    keep_and_show(imported.run(warm_up=warm_up), out=out, overwrite=overwrite, as_json=as_json)
