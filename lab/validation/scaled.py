"""How a backend that scales meets a spike: when replicas come and go, and what clients wait meanwhile."""

from __future__ import annotations

import numpy as np

from lab.errors import NotEnoughData
from lab.runs.fleets import steps_of
from lab.runs.run import Run
from lab.runs.window import by_replication
from lab.units import parse_duration

_PLACES = 64  # switches that are compared; a machine that starts more replicas than that is none of ours


def switches_over_time(run: Run) -> list[list[float]]:
    """Return when each replica became ready or no longer was, in sync periods of the autoscaler, one after the other.

    A list has always as many places: those that are left over read as the end of the run, so that a switch which
    happens in one world alone is as far off as it can be.

    Raises:
        NotEnoughData: no service of the Run has an autoscaler that decides from time to time.
    """
    periods = {
        name: parse_duration(part["autoscaler"]["sync_period"])
        for name, part in run.scenario["components"].items()
        if "sync_period" in (part.get("autoscaler") or {})
    }
    if not periods:
        raise NotEnoughData("no service has an autoscaler with a sync period to count its switches in")
    rows = []
    for number in run.replications:
        own = run.samples[run.samples["replication"] == number]
        switches = [
            float(time_s) / period_s
            for name, period_s in periods.items()
            for time_s in _switches_s(*steps_of(own, component=name, gauge="replicas_ready"))
        ]
        rest = [run.window.end_s / min(periods.values())] * _PLACES
        rows.append([*sorted(switches), *rest][:_PLACES])
    return rows


def _switches_s(times_s: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the time of each switch of a step function; one of two replicas at once counts as two."""
    changes = np.abs(np.diff(values)).astype(int)
    return np.repeat(times_s[1:], changes)


def spike_sojourn_time_s_p95(run: Run) -> list[float]:
    """Return the 95th percentile of the sojourn times of the good requests that were due during the spike.

    Raises:
        NotEnoughData: the arrival rate is no spike, or a repeat has no good request in it.
    """
    rate = run.scenario["workload"].get("arrival_rate")
    if not isinstance(rate, dict) or rate.get("kind") != "spike":
        raise NotEnoughData("the arrival rate has no spike, during which times could be taken")
    begin_s = parse_duration(rate["at"])
    end_s = begin_s + sum(parse_duration(rate[key]) for key in ("rise", "hold", "fall") if key in rate)
    values = []
    for number, own in by_replication(run.requests):
        due_s = own["intended_start_s"]
        times_s = own[(due_s >= begin_s) & (due_s < end_s) & (own["outcome"] == "ok")]["sojourn_time_s"]
        if times_s.empty:
            raise NotEnoughData(f"repeat {number}: no request of the spike was answered well")
        values.append(float(times_s.quantile(0.95)))
    return values
