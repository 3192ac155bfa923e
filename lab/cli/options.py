"""Options and exit codes that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

CLAIM_FAILED, USAGE, INCONCLUSIVE = 1, 2, 3
"""Exit codes: a claim failed, wrong use, a measurement that may not judge."""

ScenarioFile = Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario file (YAML).")]
Json = Annotated[bool, typer.Option("--json", help="Results as JSON on stdout.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Where all chance comes from; default: the scenario's.")]
Replications = Annotated[int | None, typer.Option(min=1, help="Independent replications; default: the scenario's.")]
Out = Annotated[Path | None, typer.Option(help="Folder to write the Run to.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is in the folder.")]
Check = Annotated[bool, typer.Option("--check", help="Exit with 1 if an objective is not met.")]
Repeats = Annotated[int, typer.Option(min=1, help="How often the same schedule is sent; the spread is the noise.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Processes; default: all cores. Changes no result.")]
KeepOption = Annotated[
    Literal["all", "summary"], typer.Option(help="Every visit to a component, or sums of them: for long runs.")
]
Unstable = Annotated[bool, typer.Option("--allow-unstable", help="Simulate even what grows without bound.")]
Port = Annotated[
    int | None, typer.Option(min=1, max=65535, help="Port of the entry on 127.0.0.1; default: a free one.")
]
NoPin = Annotated[bool, typer.Option("--no-pin", help="Do not put generator and backend on different cores.")]
