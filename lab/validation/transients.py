"""Figures of a transient: one number a repeat that the usual figures do not hold. A case names those that it judges.

Their margins stand in ``lab/validation/margins.py`` with all others.
"""

from __future__ import annotations

from collections.abc import Callable

from lab.runs.recovery import time_to_recover_s
from lab.runs.run import Run
from lab.validation.recovered import recovered_ratio, recovery_time_s
from lab.validation.scaled import spike_sojourn_time_s_p95

TRANSIENTS: dict[str, tuple[Callable[[Run], list[float]], str]] = {
    "recovered_ratio": (recovered_ratio, ""),
    "recovery_time_s": (recovery_time_s, "s"),
    "time_to_recover_s": (time_to_recover_s, "s"),
    "spike_sojourn_time_s_p95": (spike_sojourn_time_s_p95, "s"),
}
"""The function that gives a figure for every replication or repeat, and the figure's unit."""
