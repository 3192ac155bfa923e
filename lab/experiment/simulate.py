"""Predict: independent replications of a scenario, in parallel, as one Run."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from lab.errors import DomainError, NotEnoughData, Unstable
from lab.experiment.warm_up import found_warm_up_s, possible_warm_ups_s
from lab.runs.aggregates import Aggregates, settled
from lab.runs.aggregator import Edges
from lab.runs.gauges import gauges
from lab.runs.progress import bar_options
from lab.runs.run import Run
from lab.runs.tables import SAMPLES, TABLES, Tables
from lab.scenario.arithmetic import Arithmetic, arithmetic
from lab.scenario.calibration import moved, told_of
from lab.scenario.extrapolation import extrapolation
from lab.scenario.recording import recording_of
from lab.scenario.scenario import Scenario
from lab.scenario.schedule import Schedule
from lab.scenario.slice_arithmetic import unlike_the_whole
from lab.scenario.workload import ReplayWorkload
from lab.simulation.build import OwnComponents
from lab.simulation.build.clients import schedule_of_run
from lab.simulation.replicate import replicate
from lab.units import format_duration
from lab.versions import versions

_WORTH_PARALLEL = 20_000  # requests; below it starting workers costs more than they save

Frames = dict[str, pd.DataFrame]
Keep = Literal["all", "summary"]


class OverloadWarning(UserWarning):
    """The arithmetic says that a part is asked for more than it can do for a while."""


class SliceWarning(UserWarning):
    """The arithmetic says that a part is busier in the slice that runs than in the whole, or less busy."""


def simulate(  # noqa: PLR0913  # the knobs of an experiment, all optional and by keyword
    scenario: Scenario,
    *,
    seed: int | None = None,
    replications: int | None = None,
    n_jobs: int | None = None,
    components: OwnComponents | None = None,
    replay: Run | None = None,
    twins: bool = False,
    keep: Keep = "all",
    progress: bool = True,
    allow_unstable: bool = False,
) -> Run:
    """Return the predicted Run of a scenario: of its slice if it has a ``scale``, of itself if it has ``designs``.

    Replication 0 has the very requests and demands that ``measure`` sends, so the two are paired. Of a calibrated
    scenario the others move the calibrated values within what is known of them, so that intervals carry that too.

    Args:
        seed: where all chance comes from; if not given that of the replayed Run, else the scenario's own.
        replications: independent replications; the scenario's own if not given.
        n_jobs: processes; all cores if not given. It changes no byte of the result.
        components: your own parts by component name; each maker is called with a
            :class:`lab.simulation.build.Context` and returns an object with a ``handle(request)`` generator.
        replay: a Run whose first replication's schedule of requests is used instead of a drawn one; gives one
            replication.
        twins: let all replications have the requests and demands of replication 0, which a measurement is sent, and
            differ in what the parts draw for themselves alone: their mean is the prediction for that measurement.
        keep: ``all`` the visits to components, or a ``summary`` of them: sums, areas and histograms that give the same
            figures (waiting_time_s_p95 within 0.2 %) in a fraction of the memory. Requests are kept in either case.
        progress: show a progress bar on stderr.
        allow_unstable: simulate although the arithmetic says that a queue grows without bound.

    Raises:
        Unstable: a queue would grow without bound; the message shows the arithmetic.
        Unsupported: something that the lab does not model.
        ScenarioError: a recorded schedule cannot be read.
    """
    if seed is None:
        seed = scenario.run.seed if replay is None or replay.seed is None else replay.seed
    count = 1 if replay is not None else (scenario.run.replications if replications is None else replications)
    if keep not in ("all", "summary"):
        raise DomainError(f"keep is {keep!r}; it must be 'all' or 'summary'")
    if count < 1:
        raise DomainError(f"replications is {count}, but a prediction needs at least 1")
    whole, scenario = scenario, scenario.sliced().with_({"run.seed": seed, "run.replications": count})
    unlike = _check_slice(whole, scenario)
    figures = arithmetic(scenario)
    _check_stability(figures, allow_unstable=allow_unstable)
    schedule = None if replay is None else schedule_of(replay)
    edges = _edges(scenario) if keep == "summary" else None
    worlds = [moved(scenario, seed=seed, replication=0 if twins else number) for number in range(count)]
    tasks = [(each, seed, number, components, schedule, edges, twins) for number, each in enumerate(worlds)]
    requests_at_most = figures.rates_per_s["peak"] * scenario.run.duration * count
    done = list(
        tqdm(
            _run_all(tasks, n_jobs, requests_at_most),
            total=count,
            desc="predict",
            unit="run",
            **bar_options(progress=progress),
        )
    )
    tables = {table.name: table.stack([frames[table.name] for frames in done]) for table in TABLES}
    requests = tables["requests"]
    if scenario.run.warm_up == "auto":
        scenario = scenario.with_({"run.warm_up": format_duration(found_warm_up_s(requests, scenario.run.duration))})
    document = scenario.to_document()
    visits: pd.DataFrame | Aggregates = tables["visits"]
    if edges is not None:
        tables["aggregates"] = settled(tables["aggregates"], document)
        visits = Aggregates(tables["aggregates"], document)
    tables["samples"] = SAMPLES.stack([tables["samples"], gauges(requests, visits, document)])
    return Run(
        world="predicted",
        scenario=document,
        tables=Tables.of_checked(**tables),
        seed=seed,
        provenance={
            "versions": versions("simpy", "numpy", "pandas"),
            "own_components": sorted(components or {}),
            "replayed_schedule": None if replay is None else replay.schedule_fingerprint(),
            **_recording(scenario),
            **told_of(scenario),
            **_beyond(scenario),
            **unlike,
        },
    )


def _recording(scenario: Scenario) -> dict[str, Any]:
    """Which recording was replayed: the path may differ from machine to machine, the hash does not."""
    if not isinstance(scenario.workload, ReplayWorkload):
        return {}
    return {"recording_sha256": recording_of(scenario).sha256}


def _beyond(scenario: Scenario) -> dict[str, Any]:
    """Where the prediction leaves the range that its values were calibrated in."""
    if scenario.calibration is None:
        return {}
    return {"extrapolation": list(extrapolation(scenario, scenario.calibration))}


def schedule_of(run: Run) -> Schedule:
    """Return the schedule of requests that a Run's first replication was sent.

    Raises:
        NotEnoughData: the Run has no requests, or its first replication lacks some of the schedule.
    """
    requests = run.requests[run.requests["replication"] == run.requests["replication"].min()]
    if requests.empty or not np.array_equal(requests["request"], np.arange(len(requests))):
        raise NotEnoughData(
            "the Run does not hold a whole schedule: its first replication must have requests 0, 1, 2 and so on (those "
            "of users and sessions have gaps: save its intended_start_s, endpoint and key and use a replay workload)"
        )
    return Schedule(
        intended_start_s=requests["intended_start_s"].to_numpy(),
        endpoint=tuple(requests["endpoint"].astype(str)),
        key=requests["key"].to_numpy(),
    )


def _check_stability(figures: Arithmetic, *, allow_unstable: bool) -> None:
    unstable = [finding.sentence for finding in figures.findings if finding.severity == "unstable"]
    if unstable and not allow_unstable:
        raise Unstable(
            "\n".join(unstable) + "\nBound the queue (a backlog, a queue timeout), add capacity, or ask for it "
            "with allow_unstable=True (--allow-unstable)"
        )
    for finding in figures.findings:
        if finding.severity == "overload":
            warnings.warn(finding.sentence, OverloadWarning, stacklevel=3)


def _check_slice(whole: Scenario, part: Scenario) -> dict[str, Any]:
    """Warn of places where the slice is not like the whole, and return them for the provenance."""
    if whole.scale is None or whole.scale.applied:
        return {}
    unlike = unlike_the_whole(whole, part)
    for sentence in unlike:
        advice = "list its capacity in scale.of, or say in `because` why it does not matter"
        warnings.warn(f"{sentence}; {advice}", SliceWarning, stacklevel=3)
    return {"unlike_the_whole": list(unlike)}


def _run_all(tasks: list[tuple[Any, ...]], n_jobs: int | None, requests: float) -> Iterator[Frames]:
    jobs = min(len(tasks), n_jobs or os.cpu_count() or 1)
    if jobs == 1 or (n_jobs is None and requests < _WORTH_PARALLEL):
        return (_one(*task) for task in tasks)
    from joblib import Parallel, delayed  # here, to keep importing the lab quick

    running = Parallel(n_jobs=jobs, return_as="generator")(delayed(_one)(*task) for task in tasks)
    return iter(running)


def _edges(scenario: Scenario) -> Edges:
    """Where aggregates must be cut so that the warm-up can be left out, whatever it turns out to be."""
    duration_s, warm_up = scenario.run.duration, scenario.run.warm_up
    return Edges.of(
        duration_s=duration_s, warm_ups_s=possible_warm_ups_s(duration_s) if warm_up == "auto" else [warm_up]
    )


def _one(  # noqa: PLR0913, PLR0917  # a task, sent to a worker as one tuple
    scenario: Scenario,
    seed: int,
    replication: int,
    components: OwnComponents | None,
    schedule: Schedule | None,
    aggregate: Edges | None,
    twins: bool,
) -> Frames:
    """One replication as checked frames, by table name: what a worker sends back."""
    address, twin = (0, replication) if twins else (replication, 0)
    if schedule is None:
        schedule = schedule_of_run(scenario, seed=seed, replication=address)
    observed = replicate(
        scenario, schedule, seed=seed, replication=address, own=components, aggregate=aggregate, twin=twin
    )
    columns = {table.name: getattr(observed, table.name) for table in TABLES}
    del observed  # so that each column goes when its frame has it
    if twin:  # addressed as the replication that they are twins of
        for each in columns.values():
            each["replication"][:] = replication
    return {table.name: table.frame(columns.pop(table.name)) for table in TABLES}
