"""Measure: run a scenario on real software and return what was observed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm.auto import tqdm

from lab.errors import DomainError, Unsupported
from lab.measurement.collect import UNOBSERVED, collect
from lab.measurement.render import deployment, schedule_table
from lab.measurement.session import Event, backend_session
from lab.measurement.validity import validity
from lab.runs.progress import bar_options
from lab.runs.run import Run
from lab.scenario.calibration import told_of
from lab.scenario.scenario import Scenario
from lab.scenario.schedule import draw_schedule
from lab.versions import versions


def measure(  # noqa: PLR0913  # the knobs of a measurement, all optional and by keyword
    scenario: Scenario,
    *,
    seed: int | None = None,
    repeats: int = 1,
    entry_port: int | None = None,
    pin: bool = True,
    about_the_host: bool = False,
    progress: bool = True,
) -> Run:
    """Return the measured Run of a scenario (of its slice), on servers started for it on this machine's loopback.

    Sends the schedule and the demands of replication 0 of ``simulate`` with the same seed, ``repeats`` times.

    Args:
        seed: where all chance comes from; the scenario's own if not given.
        repeats: how often the same schedule is sent; their spread is the noise floor.
        entry_port: the port of the entry on 127.0.0.1; a free one if not given.
        pin: put load generator and backend on different cores.
        about_the_host: the scenario is about the host's CPU, so a busy one does not make the measurement invalid.
        progress: show a progress bar on stderr.

    Raises:
        Unsupported: the reference backend lacks a counterpart for something in the scenario.
        UsageError: the binary of a real server was not found, or the port that was asked for is taken.
        MeasurementFailed: a part could not start or died.
    """
    if repeats < 1:
        raise DomainError(f"repeats is {repeats}, but a measurement needs at least 1")
    if scenario.run.warm_up == "auto":
        raise Unsupported(
            "run.warm_up: auto is found in a prediction, not in a measurement; simulate first and measure with the "
            "warm-up that it found (lab run does)"
        )
    seed = scenario.run.seed if seed is None else seed
    scenario = scenario.sliced().with_({"run.seed": seed})
    schedule = draw_schedule(scenario, seed=seed, replication=0)
    options = [] if entry_port is None else ["--entry-port", str(entry_port)]
    options += [] if pin else ["--no-pin"]
    table = schedule_table(scenario, schedule, seed=seed, replication=0)
    with backend_session(deployment(scenario), table, repeats=repeats, options=tuple(options)) as events:
        with _away_from_the_generator(pin=pin):
            output = _follow(events, repeats=repeats, duration_s=scenario.run.duration, progress=progress)
        manifest = json.loads((output / "manifest.json").read_text())
        judged = validity(output, repeats=repeats, about_the_host=about_the_host)
        tables = collect(output, scenario, repeats=repeats)
    return Run(
        world="measured",
        scenario=scenario.to_document(),
        tables=tables,
        seed=seed,
        provenance={
            "versions": versions("locust", "fastapi", "uvicorn"),
            "validity": judged,
            "backend": manifest,
            **told_of(scenario),
        },
        unobserved=UNOBSERVED,
    )


@contextmanager
def _away_from_the_generator(*, pin: bool) -> Iterator[None]:
    """Keep this thread, which follows the progress, off the generator's core: each look would make requests late.

    Not earlier than the backend has started, which inherits the cores and shares them out.
    """
    usable = os.sched_getaffinity(0)
    if pin and len(usable) > 1:
        os.sched_setaffinity(0, sorted(usable)[:-1])
    try:
        yield
    finally:
        os.sched_setaffinity(0, usable)


def _follow(events: Iterator[Event], *, repeats: int, duration_s: float, progress: bool) -> Path:
    """Show how far the backend is, and return its output folder when it has finished."""
    output = None
    total_s = round(repeats * duration_s)
    with tqdm(total=total_s, desc="measure", unit="s", **bar_options(progress=progress)) as bar:
        for event in events:
            match event["event"]:
                case "starting" | "ready":
                    bar.set_postfix_str(f"{event['part']} {event['event']}")
                case "progress":
                    done_s = event["repeat"] * duration_s + min(event["elapsed_s"], duration_s)
                    bar.set_postfix_str(f"repeat {event['repeat'] + 1} of {repeats}, {event['sent']} requests sent")
                    bar.update(max(0, round(done_s) - bar.n))
                case "finished":
                    output = Path(event["output"])
                    bar.update(total_s - bar.n)
                case _:
                    pass
    assert output is not None  # events() ends with `finished` or raises
    return output
