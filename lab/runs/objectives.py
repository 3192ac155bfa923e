"""Whether a run met its scenario's objectives: by the mean, and in how many of its replications."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lab.errors import DomainError, Unsupported
from lab.runs.costs import PER_HOUR, PER_MILLION_ANSWERS
from lab.runs.fleets import METRIC as REPLICA_SECONDS
from lab.runs.metrics import ALL
from lab.runs.recovery import KEYS as RECOVERY_KEYS
from lab.runs.recovery import Recovery, read_recovery, recovery_time_s
from lab.runs.window import Window, by_replication
from lab.theory.intervals import proportion_interval
from lab.units import parse_duration, parse_rate, parse_ratio

_RATIOS = ("error_ratio", "timeout_ratio", "rejected_ratio", "hit_ratio", "full_answer_ratio")
_RATES = ("arrival_rate", "throughput", "goodput")
_DURATIONS = ("sojourn_time", "waiting_time", "service_time", "recovery_time", "replica_seconds")
_OF_COMPONENTS = ("hit_ratio", "full_answer_ratio", "waiting_time", "service_time", "replica_seconds")
_COSTS = (PER_HOUR, PER_MILLION_ANSWERS)
_KEYS = frozenset({"metric", "quantile", "endpoint", "component", "at_most", "at_least"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """An objective of a scenario document, read: what is measured, of what, and its bound in SI units."""

    text: str
    metric: str
    subject: str
    quantile: float | None
    bound: float
    is_upper: bool
    recovery: Recovery | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveResult:
    """How a run stands to one objective.

    Attributes:
        text: the objective as a sentence, such as ``sojourn_time p99 of read_item <= 300 ms``.
        metric: the metric's name in the scenario.
        subject: ``all``, an endpoint or a component.
        bound: in SI units.
        value: mean over the replications that have the figure, in SI units; NaN if none has.
        unit: of bound and value.
        met: the mean keeps to the bound, and each replication had the figure.
        probability: share of the replications that keep to the bound.
        probability_low: low end of its 95 % Wilson interval.
        probability_high: high end of it.
        margin: how far the mean stays on the right side of the bound, in the same unit; negative if it does
            not.
        replications: how many were judged.
        note: what the reader must know, such as replications without any ok answer; else empty.
    """

    text: str
    metric: str
    subject: str
    bound: float
    value: float
    unit: str
    met: bool
    probability: float
    probability_low: float
    probability_high: float
    margin: float
    replications: int
    note: str = ""


def read_objective(document: Mapping[str, Any], *, where: str) -> Objective:
    """Return an objective of a scenario document, read.

    Raises:
        DomainError: a key or value is wrong.
        Unsupported: the metric is not one that a Run can give.

    >>> p99 = {"metric": "sojourn_time", "quantile": "99%", "at_most": "300ms"}
    >>> read_objective(p99, where="objectives[0]").text
    'sojourn_time p99 <= 300 ms'
    """
    given = {key: value for key, value in document.items() if value is not None}
    _check_keys(given, where=where)
    metric = str(given["metric"])
    subject = str(given.get("component" if metric in (*_OF_COMPONENTS, PER_HOUR) else "endpoint", ALL))
    is_upper = "at_most" in given
    bound_text = given["at_most"] if is_upper else given["at_least"]
    bound = _parse_bound(metric, bound_text)
    quantile = parse_ratio(given["quantile"]) if "quantile" in given else None
    if quantile is not None and not 0 < quantile < 1:
        raise DomainError(f"{where}.quantile: {given['quantile']} is not between 0% and 100%; write say 99%")
    return Objective(
        text=_text(metric, _which(quantile, given), subject, is_upper=is_upper, bound_text=str(bound_text)),
        metric=metric,
        subject=subject,
        quantile=quantile,
        bound=bound,
        is_upper=is_upper,
        recovery=read_recovery(given, where=where) if metric == "recovery_time" else None,
    )


def _check_keys(given: Mapping[str, Any], *, where: str) -> None:
    metric = given.get("metric")
    known = (*_DURATIONS, *_RATIOS, *_RATES, *_COSTS)
    if metric not in known:
        raise Unsupported(f"{where}.metric: a Run cannot judge {metric!r} yet; it can judge {', '.join(known)}")
    unknown = sorted(given.keys() - _KEYS - (RECOVERY_KEYS if metric == "recovery_time" else set()))
    if unknown:
        raise DomainError(f"{where}: {', '.join(unknown)} does not belong to an objective on {metric}")
    if ("at_most" in given) == ("at_least" in given):
        raise DomainError(f"{where}: what would meet it is not clear; give exactly one of at_most and at_least")
    if "quantile" in given and metric != "sojourn_time":
        raise DomainError(f"{where}.quantile: only sojourn_time is judged by a quantile; leave it out for {metric}")
    if metric in _OF_COMPONENTS:
        if "component" not in given or "endpoint" in given:
            raise DomainError(f"{where}: {metric} is that of one component; give component and no endpoint")
    elif metric == PER_HOUR and "endpoint" in given:
        raise DomainError(f"{where}: {metric} is that of one component, or of all; give component or nothing")
    elif "component" in given and metric != PER_HOUR:
        raise DomainError(f"{where}.component: {metric} is that of an endpoint, or of all; give endpoint or nothing")


def _which(quantile: float | None, given: Mapping[str, Any]) -> str:
    if "after" in given:
        return f" after {_spaced(given['after'])}"
    return f" p{100 * quantile:.10g}" if quantile is not None else ""


def _text(metric: str, which: str, subject: str, *, is_upper: bool, bound_text: str) -> str:
    of = "" if subject == ALL else f" of {subject}"
    return f"{metric}{which}{of} {'<=' if is_upper else '>='} {_spaced(bound_text)}"


def _spaced(quantity: str) -> str:
    return re.sub(r"^\s*([-+0-9.eE]+)\s*(?=[A-Za-zµ%])", r"\1 ", quantity)


def _parse_bound(metric: str, text: str) -> float:
    if metric in _COSTS:
        return float(text)
    if metric in _DURATIONS:
        return parse_duration(text)
    return parse_ratio(text) if metric in _RATIOS else parse_rate(text)


def judge(objective: Objective, *, requests: pd.DataFrame, metrics: pd.DataFrame, window: Window) -> ObjectiveResult:
    """Return how a run stands to an objective.

    A replication that lacks the figure (no request was answered ok, say) does not meet the objective, and the
    note says so.

    Args:
        objective: what is asked.
        requests: the requests table.
        metrics: its frame by :func:`lab.runs.metrics.metrics_frame`.
        window: the stretch that counts.
    """
    values = _values(objective, requests=requests, metrics=metrics, window=window)
    known = values[~np.isnan(values)]
    value = float(known.mean()) if known.size else float("nan")
    meets = values <= objective.bound if objective.is_upper else values >= objective.bound  # NaN meets nothing
    margin = objective.bound - value if objective.is_upper else value - objective.bound
    lacking = len(values) - known.size
    wilson = proportion_interval(int(meets.sum()), len(values))
    return ObjectiveResult(
        text=objective.text,
        metric=objective.metric,
        subject=objective.subject,
        bound=objective.bound,
        value=value,
        unit=_unit(objective.metric),
        met=bool(lacking == 0 and margin >= 0),
        probability=float(meets.mean()),
        probability_low=wilson.low,
        probability_high=wilson.high,
        margin=margin,
        replications=len(values),
        note=f"{lacking} of {len(values)} replications have no such figure and count as not met" if lacking else "",
    )


def _unit(metric: str) -> str:
    return "s" if metric in _DURATIONS else "" if metric in (*_RATIOS, *_COSTS) else "1/s"


def _values(
    objective: Objective, *, requests: pd.DataFrame, metrics: pd.DataFrame, window: Window
) -> np.ndarray[Any, Any]:
    """One value a replication; NaN where the replication has none."""
    if objective.quantile is not None:
        return np.array([_quantile(own, objective, objective.quantile, window) for _, own in by_replication(requests)])
    if objective.recovery is not None:
        endpoint = None if objective.subject == ALL else objective.subject
        times = (
            recovery_time_s(own, objective.recovery, window=window, endpoint=endpoint)
            for _, own in by_replication(requests)
        )
        return np.array(list(times))
    name = _metric_name(objective.metric)
    own = metrics[(metrics["metric"] == name) & (metrics["subject"] == objective.subject)]
    series = own.set_index("replication")["value"]
    return series.reindex(sorted(set(metrics["replication"]))).to_numpy(dtype=float)


def _metric_name(metric: str) -> str:
    if metric == REPLICA_SECONDS or metric in _COSTS:
        return metric
    if metric in _DURATIONS:
        return f"{metric}_s_mean"
    return metric if metric in _RATIOS else f"{metric}_per_s"


def _quantile(requests: pd.DataFrame, objective: Objective, quantile: float, window: Window) -> float:
    counts = window.holds(np.asarray(requests["intended_start_s"])) & np.asarray(requests["outcome"] == "ok")
    if objective.subject != ALL:
        counts &= np.asarray(requests["endpoint"] == objective.subject)
    times = np.asarray(requests["sojourn_time_s"])[counts]
    return float(np.quantile(times, quantile)) if times.size else float("nan")
