"""The command line: ``run`` a schedule against a deployment, ``serve`` a deployment, print the ``schema`` of one."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

_LAST_PORT = 65_535


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reference_backend", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    run = actions.add_parser("run", help="start the backend, send a schedule, collect the traces, take everything down")
    serve = actions.add_parser("serve", help="keep the backend up until Ctrl-C")
    for action in (run, serve):
        action.add_argument("--deployment", type=Path, required=True, help="the deployment file (JSON)")
        action.add_argument(
            "--entry-port", type=int, default=0, help="the loopback port of the entry (a free one by default)"
        )
        action.add_argument("--no-pin", action="store_true", help="do not give the generator a core of its own")
        action.add_argument(
            "--lifeline",
            action="store_true",
            help="end when standard input closes: the parent has died or is done",
        )
    run.add_argument("--schedule", type=Path, required=True, help="the requests to send (Parquet)")
    run.add_argument(
        "--repeats", type=int, default=1, help="how often the schedule is sent, from the same state each time"
    )
    run.add_argument("--out", type=Path, help="the folder for the results; needed without --lifeline")
    actions.add_parser("schema", help="print the JSON Schema of a deployment file")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.action == "schema":
        from reference_backend.reading import schema

        sys.stdout.write(json.dumps(schema(), indent=1, sort_keys=True) + "\n")
        return 0
    if given.action == "run" and not given.lifeline and given.out is None:
        parser.error(
            "run needs --out (the folder for the results), unless a parent reads them and holds the --lifeline"
        )
    if given.action == "run" and given.repeats < 1:
        parser.error("--repeats must be at least 1: without a repeat nothing is measured")
    if not 0 <= given.entry_port <= _LAST_PORT:
        parser.error("--entry-port must be a port number from 1 to 65535 (or 0 for a free one)")
    from reference_backend.supervisor import Options, run

    return run(
        Options(
            deployment=given.deployment,
            schedule=getattr(given, "schedule", None),
            repeats=getattr(given, "repeats", 1),
            entry_port=given.entry_port,
            lifeline=given.lifeline,
            pin=not given.no_pin,
            out=getattr(given, "out", None),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
