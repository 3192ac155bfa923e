"""``lab calibrate``: parameter values from Runs, frozen in a file that scenarios refer to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.output import put, put_json, put_table, say
from lab.errors import UsageError

if TYPE_CHECKING:
    from lab.runs.run import Run
    from lab.scenario.calibration import CalibratedValue, Calibration
    from lab.scenario.scenario import Scenario


def calibrate(  # noqa: PLR0913, PLR0917  # the options of the command
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of Runs; several are repeats.")],
    out: Annotated[Path, typer.Option(help="File to write the calibration to (JSON).")],
    parameters: Annotated[
        list[str] | None,
        typer.Option(
            "--parameters",
            "--set",
            metavar="PATH",
            help="Key path to calibrate, such as components.api.overhead; once for each. Needed unless the Run is a "
            "log of requests alone: then the time of each endpoint.",
        ),
    ] = None,
    scenario: Annotated[
        Path | None, typer.Option(help="The scenario; default: the Run's own, or the simplest one of a log.")
    ] = None,
    scenario_out: Annotated[
        Path | None, typer.Option(help="File to write the scenario to, with a reference to the calibration.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the files.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The calibration on stdout too.")] = False,
) -> None:
    """Calibrate: fit parameters to Runs at low load, with intervals, frozen and hashed."""
    from lab.calibration import calibrate as run_calibration
    from lab.calibration.together import together
    from lab.runs.run import Run as _Run

    for path in (out, scenario_out):
        if path is not None and path.exists() and not overwrite:
            raise UsageError(f"{path}: exists already; name another file, or replace it by --overwrite")
    run = together([_Run.load(folder) for folder in runs])
    described = _scenario(run, scenario)
    calibration = run_calibration(run, described, parameters or [])
    calibration.save(out)
    say(f"Calibration: {out} ({calibration.sha256})")
    if scenario_out is not None:
        _write_scenario(described, scenario_out, out)
        say(f"Scenario: {scenario_out}")
    if as_json:
        put_json(calibration.to_document())
        return
    put_table([_row(path, each) for path, each in calibration.parameters.items()])
    put("")
    put_table(_residual_rows(calibration))
    for note in calibration.notes:
        say(f"note: {note}")


def _scenario(run: Run, path: Path | None) -> Scenario:
    from lab.calibration import scenario_of_log
    from lab.scenario.reader import read_scenario
    from lab.scenario.scenario import Scenario as _Scenario

    if path is not None:
        return read_scenario(path)
    if "imported" in run.provenance:
        return scenario_of_log(run)
    return _Scenario.model_validate({**run.scenario, "calibration": None})


def _write_scenario(scenario: Scenario, path: Path, calibration: Path) -> None:
    from lab.scenario.writer import write_scenario

    write_scenario(scenario.with_({"calibration": None}), path)
    seen = Path(os.path.relpath(calibration, path.parent)).as_posix()
    with path.open("a", encoding="utf-8") as file:
        file.write(f'calibration: "{seen}"\n')


def _row(path: str, value: CalibratedValue) -> dict[str, str]:
    is_time = not isinstance(value.value, int | float)
    unit, scale = (" ms", 1e3) if is_time else ("", 1.0)
    censored = f" ({value.censored} cut off)" if value.censored else ""
    return {
        "parameter": path,
        "mean": f"{value.mean * scale:.4g}{unit}",
        "95 % interval": f"{value.low * scale:.4g} to {value.high * scale:.4g}{unit}",
        "n": f"{value.observations}{censored}",
        "distribution": getattr(value.value, "kind", "number"),
    }


def _residual_rows(calibration: Calibration) -> list[dict[str, str]]:
    return [
        {
            "sojourn time": each.figure,
            "simulated": f"{each.predicted_s * 1e3:.4g} ms",
            "in the run": f"{each.measured_s * 1e3:.4g} ms",
            "error": f"{each.error:+.1%}",
        }
        for each in calibration.residuals
    ]
