"""The margins of the validation protocol: fixed, so that no case chooses its own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeGuard

from lab.scenario.arithmetic import Arithmetic
from lab.scenario.arrivals import ConstantRate
from lab.scenario.faults import Fault, SlowDownFault, SlowLinkFault
from lab.scenario.scenario import Scenario
from lab.scenario.workload import OpenWorkload


class Regime(StrEnum):
    """How hard a scenario drives its backend, which decides how closely it can be predicted."""

    MODERATE = "utilisation <= 0.7"
    HIGH = "utilisation 0.7 to 0.9"
    TRANSIENT = "overload and transients"


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """How far a prediction may be off: relative to the measured value, or absolute (for ratios)."""

    value: float
    kind: Literal["relative", "absolute"]


_MODERATE, _HIGHEST = 0.7, 0.9
_COLUMNS = {Regime.MODERATE: 0, Regime.HIGH: 1, Regime.TRANSIENT: 2}
_RELATIVE = {
    "throughput_per_s": (0.02, 0.02, 0.05),
    "goodput_per_s": (0.02, 0.02, 0.05),
    "sojourn_time_s_p50": (0.05, 0.08, 0.15),
    "sojourn_time_s_p95": (0.08, 0.10, 0.20),
    "sojourn_time_s_p99": (0.10, 0.15, 0.25),
    "time_in_queue_s_mean": (0.08, 0.10, 0.20),
    "time_in_queue_s_p95": (0.08, 0.10, 0.20),
    "time_until_done_s_mean": (0.05, 0.08, 0.15),
    "time_until_done_s_p95": (0.08, 0.10, 0.20),
    "backlog_peak": (0.10, 0.10, 0.10),
    "drain_time_s": (0.10, 0.10, 0.10),
    "recovery_time_s": (0.10, 0.10, 0.10),
    "time_to_recover_s": (0.10, 0.10, 0.10),
    "spike_sojourn_time_s_p95": (0.08, 0.10, 0.20),
}
_ABSOLUTE = {
    "error_ratio": (0.005, 0.01, 0.03),
    "rejected_ratio": (0.005, 0.01, 0.03),
    "recovered_ratio": (0.005, 0.01, 0.03),  # the share of good answers after a spike: as for errors
    "redelivery_ratio": (0.01, 0.01, 0.03),
    "dead_letter_ratio": (0.005, 0.01, 0.03),
    "hit_ratio": (0.01, 0.01, 0.02),
    "stale_ratio": (0.01, 0.01, 0.02),  # a share of all reads, as hits are: the same margin
}


def margin(metric: str, regime: Regime) -> Margin | None:
    """Return the margin of a metric in a regime, or None for a figure that is shown but not judged."""
    column = _COLUMNS[regime]
    if metric in _RELATIVE:
        return Margin(value=_RELATIVE[metric][column], kind="relative")
    if metric in _ABSOLUTE:
        return Margin(value=_ABSOLUTE[metric][column], kind="absolute")
    return None


def regime(scenario: Scenario, figures: Arithmetic) -> Regime:
    """Return the regime of a scenario, from its arithmetic alone: known before anything is measured."""
    peak = [row.utilisation or 0.0 for row in figures.rows if (row.level, row.cache) == ("peak", "warm")]
    utilisation = max(peak, default=0.0)
    throughout = [fault for fault in scenario.faults if _lasts_throughout(fault, scenario.run.duration)]
    # The arithmetic knows of no slow replica: its part works so many times as hard as the others. Nor does it know of a
    # slow link, over which connections are held longer; that is left out, so the margin is rather too narrow.
    utilisation *= max((fault.factor for fault in throughout if isinstance(fault, SlowDownFault)), default=1.0)
    constant = isinstance(scenario.workload, OpenWorkload) and isinstance(scenario.workload.arrival_rate, ConstantRate)
    steady = constant and len(throughout) == len(scenario.faults)
    if not steady or utilisation > _HIGHEST:
        return Regime.TRANSIENT
    return Regime.MODERATE if utilisation <= _MODERATE else Regime.HIGH


def _lasts_throughout(fault: Fault, duration_s: float) -> TypeGuard[SlowDownFault | SlowLinkFault]:
    """Return whether something is slow from the first moment to the last, so that nothing changes meanwhile."""
    return isinstance(fault, SlowDownFault | SlowLinkFault) and fault.at == 0 and fault.duration >= duration_s
