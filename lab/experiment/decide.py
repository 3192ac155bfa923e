"""Decide: all designs of a scenario in the same world, side by side."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from lab.errors import DomainError, NotEnoughData, Unstable
from lab.experiment.decision import METRICS, STATISTICS, Decision
from lab.experiment.paired import paired_rows
from lab.experiment.simulate import Keep, OverloadWarning, simulate
from lab.runs.fleets import fleet_size
from lab.runs.metrics import ALL
from lab.runs.objectives import ObjectiveResult
from lab.runs.progress import bar_options
from lab.runs.recovery import time_to_recover_s
from lab.runs.run import Run
from lab.runs.summary import estimate
from lab.scenario.scenario import Scenario

_FEWEST = 2  # replications that an interval needs
_COLUMNS = ["replication", "metric", "subject", "value", "unit"]


def decide(  # noqa: PLR0913  # the knobs of an experiment, all optional and by keyword
    scenario: Scenario,
    *,
    replications: int | None = None,
    seed: int | None = None,
    n_jobs: int | None = None,
    keep: Keep = "summary",
    allow_unstable: bool = False,
    progress: bool = True,
) -> Decision:
    """Return all designs of a scenario side by side, each simulated in the same world: on common random numbers.

    Replication i of every design has the same arrivals and draws, so what differs between designs is their doing, and
    the interval of a difference is much narrower than those of the two figures.

    Args:
        scenario: has ``designs``; of one with a ``scale``, the slice of each runs.
        replications: independent replications of each design; the scenario's own if not given.
        seed: where all chance comes from; the scenario's own if not given.
        n_jobs: processes; all cores if not given. It changes no byte of the result.
        keep: what the Runs keep, as in ``simulate``: ``all`` the visits, or a ``summary`` of them.
        allow_unstable: simulate designs too of which the arithmetic says that a queue grows without bound.
        progress: show a progress bar on stderr.

    Raises:
        DomainError: the scenario has no designs.
        NotEnoughData: fewer than two replications; or a figure that the runs are too short for.
        Unstable: a queue of one of the designs would grow without bound; the message shows which, and the arithmetic.
    """
    count = scenario.run.replications if replications is None else replications
    if not scenario.designs:
        raise DomainError(
            f"{scenario.name} has no designs to decide between; write them as designs: {{NAME: {{KEY PATH: VALUE}}}}"
        )
    if count < _FEWEST:
        raise NotEnoughData(
            f"{count} replication gives no interval, and without one nothing is decided; take 2 or more"
        )
    runs: dict[str, Run] = {}
    bar = tqdm(scenario.designs, desc="decide", unit="design", **bar_options(progress=progress))
    for name in bar:
        bar.set_postfix_str(name)
        described = scenario.design(name)
        if runs:  # the first one may have looked for its warm-up; all count the same stretch
            described = described.with_({"run.warm_up": next(iter(runs.values())).scenario["run"]["warm_up"]})
        options = {"replications": count, "seed": seed, "n_jobs": n_jobs, "keep": keep}
        runs[name] = _simulated(name, described, allow_unstable=allow_unstable, **options)
    figures = {name: _figures(run) for name, run in runs.items()}
    units = _units(scenario, figures)
    return Decision(scenario=scenario, runs=runs, table=_table(runs, figures, tuple(units)), units=units)


def _simulated(name: str, described: Scenario, **options: Any) -> Run:
    """Simulate one design; what is said of it names it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", OverloadWarning)
        try:
            run = simulate(described, progress=False, **options)
        except Unstable as error:
            raise Unstable(f"design {name!r}: {error}") from error
    for warning in caught:
        said = f"design {name!r}: {warning.message}"
        warnings.warn_explicit(said, warning.category, warning.filename, warning.lineno)
    return run


def _units(scenario: Scenario, figures: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """Return which figures there are, in their order, each with its unit."""
    found = {"time_to_recover_s": "s"} if _promises_recovery(scenario) else {}  # also where no design ever recovers
    for frame in figures.values():
        found |= dict(zip(frame["metric"].astype(str), frame["unit"].astype(str), strict=True))
    return {metric: found[metric] for metric in METRICS if metric in found}


def _promises_recovery(scenario: Scenario) -> bool:
    return any(each.metric == "recovery_time" for each in scenario.objectives)


def _table(runs: Mapping[str, Run], figures: Mapping[str, pd.DataFrame], metrics: tuple[str, ...]) -> pd.DataFrame:
    first = next(iter(runs))
    rows = {name: _row(run, figures[name], metrics) for name, run in runs.items()}
    for name, run in runs.items():
        compared = paired_rows(figures[first], figures[name], replications=len(run.replications))
        for change in compared.to_dict("records") if name != first else ():
            found = {"difference": "difference", "low": "difference_low", "high": "difference_high"}
            rows[name] |= {(str(change["metric"]), key): float(change[one]) for one, key in found.items()}
    columns = [(metric, key) for metric in metrics for key in STATISTICS]
    columns += [key for key in rows[first] if key[0] not in METRICS]
    index = pd.MultiIndex.from_tuples(columns, names=["figure", "statistic"])
    values = [[row.get(key, math.nan) for key in columns] for row in rows.values()]
    return pd.DataFrame(values, index=pd.Index(list(rows), name="design"), columns=index)


def _row(run: Run, figures: pd.DataFrame, metrics: tuple[str, ...]) -> dict[tuple[str, str], float]:
    row: dict[tuple[str, str], float] = {}
    for metric in metrics:
        own = figures.loc[figures["metric"] == metric, "value"].to_numpy(dtype=float)
        row |= {(metric, key): value for key, value in _statistics(own).items()}
    for result in run.objectives():
        row |= {(result.text, key): value for key, value in _judged(result).items()}
    return row


def _statistics(values: Any) -> dict[str, float]:
    if len(values) == 0:
        return {"estimate": math.nan, "low": math.nan, "high": math.nan, "replications": 0.0}
    mean, low, high, _, _ = estimate(values, level=0.95)
    return {"estimate": mean, "low": low, "high": high, "replications": float(len(values))}


def _judged(result: ObjectiveResult) -> dict[str, float]:
    return {
        "probability": result.probability,
        "low": result.probability_low,
        "high": result.probability_high,
        "met": float(result.met),
    }


def _figures(run: Run) -> pd.DataFrame:
    """Return what a decision looks at, one row a (replication, metric): of all requests and all services together."""
    metrics = run.metrics()
    usual = metrics[metrics["metric"].isin(METRICS) & (metrics["subject"] == ALL)]
    more = pd.DataFrame([*_recoveries(run), *_fleets(run)], columns=_COLUMNS)
    return pd.concat([frame for frame in (usual, more) if not frame.empty], ignore_index=True)


def _recoveries(run: Run) -> Iterator[tuple[int, str, str, float, str]]:
    """Yield when each replication had recovered; none of one that never did."""
    if any(each["metric"] == "recovery_time" for each in run.scenario.get("objectives") or ()):
        for replication, time_s in zip(run.replications, time_to_recover_s(run), strict=True):
            if not math.isnan(time_s):
                yield replication, "time_to_recover_s", ALL, time_s, "s"


def _fleets(run: Run) -> Iterator[tuple[int, str, str, float, str]]:
    for replication in run.replications:
        own = run.samples[run.samples["replication"] == replication]
        size = fleet_size(own, run.scenario, window=run.window)
        if size is not None:
            yield replication, "replicas_mean", ALL, size[0], ""
            yield replication, "replicas_peak", ALL, size[1], ""
