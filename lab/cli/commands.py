"""The commands. Each is a thin layer over a function of the library of the same name."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from lab.cli.calibrating import calibrate
from lab.cli.deciding import decide
from lab.cli.importing import import_
from lab.cli.options import (
    CLAIM_FAILED,
    INCONCLUSIVE,
    Check,
    Jobs,
    Json,
    KeepOption,
    NoPin,
    Out,
    Overwrite,
    Port,
    Repeats,
    Replications,
    ScenarioFile,
    Seed,
    Unstable,
)
from lab.cli.output import keep_and_show, objective_rows, put, put_json, put_table, say
from lab.cli.validating import validate
from lab.errors import UsageError
from lab.runs.run import Run
from lab.runs.slices import slice_sentence
from lab.runs.storage import check_replaceable

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Predict how a backend behaves under a spike, measure the real thing, and compare.",
)


@app.command()
def simulate(  # noqa: PLR0913, PLR0917  # the options of the command
    scenario: ScenarioFile,
    seed: Seed = None,
    replications: Replications = None,
    jobs: Jobs = None,
    out: Out = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    check: Check = False,
    allow_unstable: Unstable = False,
    keep: KeepOption = "all",
) -> None:
    """Predict: simulate a scenario, with intervals."""
    from lab.experiment.simulate import simulate as run_simulation
    from lab.scenario.reader import read_scenario

    _free(out, overwrite)
    run = run_simulation(
        read_scenario(scenario),
        seed=seed,
        replications=replications,
        n_jobs=jobs,
        keep=keep,
        allow_unstable=allow_unstable,
    )
    _finish(run, out=out, overwrite=overwrite, as_json=as_json, check=check)


@app.command()
def measure(  # noqa: PLR0913, PLR0917  # the options of the command
    scenario: ScenarioFile,
    repeats: Repeats = 1,
    seed: Seed = None,
    out: Out = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    check: Check = False,
    port: Port = None,
    no_pin: NoPin = False,
) -> None:
    """Measure: run a scenario on real servers on this machine, under Locust."""
    from lab.measurement.measure import measure as run_measurement
    from lab.scenario.reader import read_scenario

    _free(out, overwrite)
    run = run_measurement(read_scenario(scenario), seed=seed, repeats=repeats, entry_port=port, pin=not no_pin)
    _finish(run, out=out, overwrite=overwrite, as_json=as_json, check=check)
    problems = run.provenance["validity"]["problems"]
    for problem in problems:
        say(f"not valid: {problem}")
    if problems:
        raise typer.Exit(INCONCLUSIVE)


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a Run.")],
    b: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of the other Run.")],
    report: Annotated[Path | None, typer.Option(help="HTML file to write the report to.")] = None,
    as_json: Json = False,
) -> None:
    """Compare a predicted with a measured Run; two predicted ones: the difference that the change makes."""
    first, second = Run.load(a), Run.load(b)
    if first.world == second.world == "predicted":
        if report is not None:
            raise UsageError("--report shows a prediction beside a measurement; both of these are predictions")
        _put_difference(first, second, as_json=as_json)
        return
    _compare(first, second, report=report, as_json=as_json, check=True)


@app.command()
def run(  # noqa: PLR0913, PLR0917  # the options of the command
    scenario: ScenarioFile,
    out: Annotated[Path, typer.Option(help="Folder for both Runs and the report.")],
    repeats: Repeats = 2,
    seed: Seed = None,
    replications: Replications = None,
    as_json: Json = False,
    allow_unstable: Unstable = False,
    check: Annotated[bool, typer.Option("--check", help="Exit by the verdict: 1 a miss, 3 inconclusive.")] = False,
    no_pin: NoPin = False,
) -> None:
    """The whole loop: predict, measure, compare, report. What an earlier loop left in the folder is replaced."""
    from lab.experiment.simulate import simulate as run_simulation
    from lab.measurement.measure import measure as run_measurement
    from lab.scenario.reader import read_scenario

    described = read_scenario(scenario)
    folders = {world: out / world for world in ("predicted", "measured")}
    for folder in folders.values():
        _free(folder, True)
    predicted = run_simulation(described, seed=seed, replications=replications, allow_unstable=allow_unstable)
    predicted.save(folders["predicted"], overwrite=True)
    found = described.with_({"run.warm_up": predicted.scenario["run"]["warm_up"]})  # which may have been `auto`
    measured = run_measurement(found, seed=seed, repeats=repeats, pin=not no_pin)
    measured.save(folders["measured"], overwrite=True)
    try:
        _compare(predicted, measured, report=out / "report.html", as_json=as_json, check=check)
    finally:
        say(f"\nRuns: {folders['predicted']} and {folders['measured']}\nReport: {out / 'report.html'}")


@app.command()
def show(scenario: ScenarioFile, as_json: Json = False) -> None:
    """Show a scenario: topology as Mermaid text, every default filled in, the arithmetic at 1x (of the whole)."""
    from lab.scenario.arithmetic import arithmetic
    from lab.scenario.reader import read_scenario
    from lab.scenario.slice_arithmetic import unlike_the_whole
    from lab.scenario.topology import mermaid
    from lab.scenario.writer import to_yaml

    described = read_scenario(scenario)
    figures = arithmetic(described)
    if as_json:
        put_json({"scenario": described.to_document(), "mermaid": mermaid(described), "arithmetic": figures.to_dict()})
        return
    put(mermaid(described))
    put("\n" + to_yaml(described, defaults=True))
    put(figures.to_frame().to_string(index=False))
    for finding in figures.findings:
        put(f"{finding.severity}: {finding.sentence}")
    part = described.sliced()
    if part.scale is not None:
        put(f"\n{slice_sentence(part.to_document())}")
        for sentence in unlike_the_whole(described, part):
            put(f"slice: {sentence}")
    if described.designs:
        put(f"\nDesigns (lab decide): {', '.join(described.designs)}")


app.command("import")(import_)
app.command()(validate)
app.command()(calibrate)
app.command()(decide)


@app.command()
def schema(
    reference: Annotated[bool, typer.Option("--reference", help="The reference page (Markdown) instead.")] = False,
) -> None:
    """Print the JSON Schema of the scenario language, or its reference page."""
    from lab.scenario.reference import reference_text
    from lab.scenario.schema import schema_text

    put((reference_text() if reference else schema_text()).rstrip())


def _free(folder: Path | None, overwrite: bool) -> None:
    """Refuse an unusable folder before the work, not after it."""
    if folder is None:
        return
    check_replaceable(folder, overwrite=overwrite)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder.parent).close()
    except OSError as error:
        raise UsageError(
            f"{folder.parent}: cannot be written to ({error.strerror}); name another folder by --out"
        ) from error


def _finish(run: Run, *, out: Path | None, overwrite: bool, as_json: bool, check: bool) -> None:
    keep_and_show(run, out=out, overwrite=overwrite, as_json=as_json)
    if not as_json:
        put("")
        put_table(objective_rows(run))
        put(f"\n{run.bottleneck().sentence}")
        if slice_sentence(run.scenario):
            put(slice_sentence(run.scenario))
    for beyond in run.provenance.get("extrapolation", ()):
        say(f"beyond the calibrated range: {beyond}")
    if check and not all(objective.met for objective in run.objectives()):
        raise typer.Exit(CLAIM_FAILED)


def _put_difference(before: Run, after: Run, *, as_json: bool) -> None:
    from lab.experiment.paired import difference

    frame = difference(before, after)
    if as_json:
        put_json(frame.to_dict("records"))
    else:
        put(frame.to_string(index=False))


def _compare(a: Run, b: Run, *, report: Path | None, as_json: bool, check: bool) -> None:
    from lab.validation.compare import compare as run_comparison
    from lab.validation.judge import Verdict

    comparison = run_comparison(a, b)
    if as_json:
        put_json(comparison.to_dict())
    else:
        put_table(comparison.table())
        put("")
        put_table(objective_rows(comparison.predicted, comparison.measured))
        put("")
        for sentence in comparison.sentences():
            put(sentence)
    if report is not None:
        from lab.report import write_report

        write_report(comparison, report)
    if check and comparison.verdict is not Verdict.PASS:
        raise typer.Exit(INCONCLUSIVE if comparison.verdict is Verdict.INCONCLUSIVE else CLAIM_FAILED)
