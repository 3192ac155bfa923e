"""A run from beginning to end: start, warm up, send, collect, take down. Whatever happens, nothing is left behind."""

from __future__ import annotations

import os
import shutil
import sys
import time
import traceback
import uuid
from dataclasses import dataclass
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # it ships no types
import httpx
import redis

from reference_backend import exercising, manifest
from reference_backend.backend import Backend
from reference_backend.deployment import Deployment
from reference_backend.events import Events
from reference_backend.load.schedule import BadSchedule, Schedule, read_schedule
from reference_backend.placement import choose_cores, make_folder, remove_folder
from reference_backend.problems import BadInput, Interrupted, Problem
from reference_backend.reading import read_deployment
from reference_backend.repeating import Repeats
from reference_backend.watch import Watch

# Every process of a run inherits this variable, so that a test can find what was left behind.
RUN_VARIABLE = "ARCHLAB_RUN_ID"
SCHEDULE_FILE = "schedule.parquet"
# The caller's settings for databases and load tests of their own. PGSSLMODE and its like are read by PostgreSQL, and by
# asyncpg in the supervisor too; LOCUST_USERS and its like by Locust.
_WITHHELD = ("PG", "LOCUST_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asked for. ``schedule`` is None to serve until the end is asked for."""

    deployment: Path
    schedule: Path | None
    repeats: int = 1
    entry_port: int = 0
    lifeline: bool = False
    pin: bool = True
    out: Path | None = None


def run(options: Options) -> int:
    """Carry out what was asked for; return the exit code."""
    events = Events()
    watch = Watch(lifeline=options.lifeline, events=events)
    watch.catch_signals()
    _prepare_environment()
    folder: Path | None = None
    try:
        folder = make_folder()
        events.emit("workdir", path=str(folder))
        _work(options, folder, watch, events)
    except Problem as problem:
        events.emit(
            "failed",
            where=problem.where,
            what=problem.what,
            why=problem.why,
            do=problem.do,
            exit_code=problem.exit_code,
        )
        sys.stderr.write(f"{problem}\n")
        return problem.exit_code
    except Exception as error:
        # A fault of ours, or a full disk: told like any other failure, so that the parent never has to guess.
        traceback.print_exc()
        doing = {
            "why": "the supervisor met something that it does not know",
            "do": "read the traceback in the log",
        }
        events.emit("failed", where="supervisor", what=f"{type(error).__name__}: {error}", exit_code=3, **doing)
        return 3
    finally:
        if folder is not None and not remove_folder(folder):
            sys.stderr.write(f"{folder} could not be removed: something still writes into it. Remove it yourself.\n")
    return 0


def _prepare_environment() -> None:
    """Set what every process of the run inherits, and drop what would change how it works."""
    os.environ.setdefault(RUN_VARIABLE, uuid.uuid4().hex)
    # Children run modules of this package, from whichever folder the supervisor was started in.
    here = str(Path(__file__).resolve().parent.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    for name in [name for name in os.environ if name.startswith(_WITHHELD)]:
        del os.environ[name]


def _work(options: Options, folder: Path, watch: Watch, events: Events) -> None:
    """Do the work inside a temporary folder; every process has ended when this returns or raises."""
    deployment = read_deployment(options.deployment)
    schedule = None if options.schedule is None else _schedule(options.schedule, deployment)
    if options.schedule is not None:
        # A copy, because the generator opens it again at each repeat, and what we were given may be a memory file.
        shutil.copyfile(options.schedule, folder / SCHEDULE_FILE)
    cores = choose_cores(pin=options.pin, wanted=deployment.cores)
    backend = Backend(deployment=deployment, folder=folder, watch=watch, events=events, entry_port=options.entry_port)
    output = _output(options, folder)
    try:
        backend.start()
        exercising.warm_up(backend, watch)
        exercising.configure_caches(backend, watch)
        exercising.reset(backend, watch)
        if schedule is None:
            _serve(backend, watch, events)
            return
        repeats = Repeats(
            count=options.repeats,
            schedule=schedule,
            schedule_file=folder / SCHEDULE_FILE,
            backend=backend,
            watch=watch,
            events=events,
            cores=cores,
        )
        described = [repeats.run(number, output / f"repeat-{number}") for number in range(options.repeats)]
        manifest.write(output, manifest.describe(backend, cores=cores, repeats=described))
    except (OSError, httpx.HTTPError, redis.RedisError, asyncpg.PostgresError):
        watch.pause(0.5)  # if a part died just now, this names it
        raise
    finally:
        for part in backend.stop():
            sys.stderr.write(f"{part} had to be killed\n")
    events.emit("finished", output=str(output))
    if options.lifeline:
        _wait_for_the_parent(watch)


def _schedule(path: Path, deployment: Deployment) -> Schedule:
    endpoints = deployment.service_behind(deployment.entry).endpoints
    try:
        return read_schedule(
            path,
            demands_of={name: spec.demands for name, spec in endpoints.items()},
            attempts=deployment.client.attempts,
            coins=deployment.client.throttle is not None,
        )
    except BadSchedule as error:
        raise BadInput(
            path.name,
            str(error),
            why="a schedule that does not fit the deployment would measure something else",
            do="write the schedule for this deployment",
        ) from error


def _output(options: Options, folder: Path) -> Path:
    """Return the folder for the results, made if need be."""
    output = folder / "output" if options.out is None else options.out
    try:
        output.mkdir(parents=True, exist_ok=True)
        holds_results = any(output.glob("repeat-*"))
    except OSError as error:
        raise BadInput(
            "--out",
            f"the folder cannot be made ({error.strerror})",
            why="the results have to go somewhere",
            do="name a folder that can be written to",
        ) from error
    if holds_results:
        raise BadInput(
            "--out",
            "the folder already holds the results of a run",
            why="two runs would be mixed up in it",
            do="name another folder, or remove this one",
        )
    return output


def _serve(backend: Backend, watch: Watch, events: Events) -> None:
    backend.scaling.start_clock(time.monotonic())
    events.emit("serving", url=backend.entry_url)
    sys.stderr.write(f"The backend answers at {backend.entry_url} until Ctrl-C.\n")
    while True:
        watch.pause(3600.0)


def _wait_for_the_parent(watch: Watch) -> None:
    """Keep the results until the parent has read them and closes the lifeline."""
    try:
        while True:
            watch.pause(3600.0)
    except Interrupted as interrupted:
        if not interrupted.is_by_parent:
            raise
