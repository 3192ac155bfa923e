"""A run from beginning to end: start, warm up, send, collect, take down. Whatever happens, nothing is left behind."""

from __future__ import annotations

import os
import shutil
import sys
import time
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # it ships no types
import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import redis

from reference_backend import exercising, generator, manifest
from reference_backend.backend import Backend
from reference_backend.collect import EVENTS, Clock, Trails
from reference_backend.deployment import Deployment
from reference_backend.events import Events
from reference_backend.load.plan import Plan
from reference_backend.load.schedule import BadSchedule, Schedule, read_schedule
from reference_backend.placement import Cores, choose_cores, make_folder, remove_folder
from reference_backend.problems import BadInput, Interrupted, Problem
from reference_backend.reading import read_deployment
from reference_backend.sampling import Sampler
from reference_backend.watch import Watch

# Every process of a run inherits this variable, so that a test can find what was left behind.
RUN_VARIABLE = "ARCHLAB_RUN_ID"
SCHEDULE_FILE = "schedule.parquet"


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
    os.environ.setdefault(RUN_VARIABLE, uuid.uuid4().hex)
    # Children run modules of this package, from whichever folder the supervisor was started in.
    here = str(Path(__file__).resolve().parent.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
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
        if folder is not None:
            remove_folder(folder)
    return 0


def _work(options: Options, folder: Path, watch: Watch, events: Events) -> None:
    """Do the work inside a temporary folder; every process has ended when this returns or raises."""
    deployment = read_deployment(options.deployment)
    schedule = None if options.schedule is None else _schedule(options.schedule, deployment)
    if options.schedule is not None:
        # A copy, because the generator opens it again at each repeat, and what we were given may be a memory file.
        shutil.copyfile(options.schedule, folder / SCHEDULE_FILE)
    cores = choose_cores(pin=options.pin)
    backend = Backend(deployment=deployment, folder=folder, watch=watch, events=events, entry_port=options.entry_port)
    output = _output(options, folder)
    try:
        backend.start()
        exercising.warm_up(backend, watch)
        exercising.limit_caches(backend, watch)
        exercising.reset(backend)
        if schedule is None:
            _serve(backend, watch, events)
            return
        repeats = Repeats(
            options=options,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """Sends the schedule again and again, from the same state each time."""

    options: Options
    schedule: Schedule
    schedule_file: Path
    backend: Backend
    watch: Watch
    events: Events
    cores: Cores

    def run(self, number: int, folder: Path) -> dict[str, object]:
        """Run one repeat; leave its tables in the folder and return what the manifest says of it."""
        folder.mkdir()
        exercising.reset(self.backend)
        deployment = self.backend.deployment
        log = self.backend.haproxy_log if deployment.load_balancers() else None
        trails = Trails(span_files=self.backend.span_files(), haproxy_log=log)
        trails.skip()
        sampler = Sampler(backend=self.backend, supervisor_pid=os.getpid())
        self.events.emit("repeat", repeat=number, of=self.options.repeats, duration_s=self.schedule.duration_s)
        zero_s = generator.send(
            self._sending(folder), watch=self.watch, every_second=self._every_second(number, sampler)
        )
        clock = Clock(zero_s=zero_s, wall_ahead_s=time.time() - time.monotonic())
        ended_s = time.monotonic() - zero_s
        left = exercising.drain(self.backend, self.watch)
        sampler.write(folder)
        entry = deployment.entry if deployment.entry in deployment.load_balancers() else None
        spans = trails.collect(folder, clock, entry)
        _write_events(folder, ended_s=ended_s, drained_s=time.monotonic() - zero_s, left=left)
        self.events.emit("repeat_done", repeat=number, of=self.options.repeats, spans=spans, left_in_flight=left)
        return {"repeat": number, "cpu_ratio": sampler.cpu_ratios(), "left_in_flight": left, "spans": spans}

    def _every_second(self, number: int, sampler: Sampler) -> Callable[[float, dict[str, float]], None]:
        def act(zero_s: float, latest: dict[str, float]) -> None:
            now_s = time.monotonic()
            sampler.sample(now_s, zero_s)
            elapsed_s = round(max(0.0, now_s - zero_s), 3)
            self.events.emit("progress", repeat=number, elapsed_s=elapsed_s, sent=int(latest.get("sent", 0)))

        return act

    def _sending(self, folder: Path) -> generator.Sending:
        deployment = self.backend.deployment
        endpoints = deployment.service_behind(deployment.entry).endpoints
        client = deployment.client
        plan = Plan(
            schedule=str(self.schedule_file.resolve()),
            output=str(folder.resolve()),
            base_url=self.backend.entry_url,
            methods={name: spec.method for name, spec in endpoints.items()},
            demands_of={name: spec.demands for name, spec in endpoints.items()},
            timeout_s=client.timeout_s,
            attempts=client.attempts,
        )
        backoff_s = max((wait for planned in self.schedule.requests for wait in planned.backoffs_s), default=0.0)
        longest_s = self.schedule.duration_s + client.attempts * (client.timeout_s + backoff_s) + 1.0
        return generator.Sending(
            plan=plan,
            folder=folder,
            log=folder / "locust.log",
            longest_s=longest_s,
            cores=self.cores.generator,
        )


def _write_events(folder: Path, *, ended_s: float, drained_s: float, left: int) -> None:
    """Write ``events.parquet``: what happened to the whole backend during a repeat."""
    rows: list[dict[str, object]] = [
        {"time_s": 0.0, "component": "generator", "kind": "schedule_began", "detail": ""},
        {"time_s": ended_s, "component": "generator", "kind": "generator_ended", "detail": ""},
        {
            "time_s": drained_s,
            "component": "supervisor",
            "kind": "drained",
            "detail": f"{left} requests were left in flight",
        },
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=EVENTS), folder / "events.parquet")
