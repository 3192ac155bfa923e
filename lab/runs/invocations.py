"""What a platform for functions charges by: invocations and GB-seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lab.runs.window import Window
from lab.units import parse_bytes

PLATFORM = ".platform"
"""What follows the name of a serverless service in the rows of its platform."""

INVOCATIONS, GB_SECONDS = "invocations", "gb_seconds"
_GIB = 2**30
_PRESENT = ("number_waiting_mean", "number_in_service_mean")


def gb_seconds_frame(figures: pd.DataFrame, scenario: Mapping[str, Any], *, window: Window) -> pd.DataFrame:
    """Return the GB-seconds of each serverless service in each replication.

    The memory of a process (GiB, as AWS counts) times the time that its requests had it: from their arrival to their
    answer, so with the cold start that they waited for. Rounding up to the millisecond is left out, idle time is free.

    Args:
        figures: the figures of the components.
        scenario: the scenario document.
        window: the stretch that they are of.

    Returns:
        Columns replication, metric, subject, value, unit; one row a (replication, serverless service).
    """
    rows = []
    for name, memory in _memories(scenario).items():
        there = figures[(figures["subject"] == name + PLATFORM) & figures["metric"].isin(_PRESENT)]
        for replication, number in there.groupby("replication")["value"].sum().items():
            rows.append((replication, GB_SECONDS, name, float(number) * window.length_s * memory / _GIB, "GB s"))
    return pd.DataFrame(rows, columns=["replication", "metric", "subject", "value", "unit"])


def _memories(scenario: Mapping[str, Any]) -> dict[str, float]:
    """The memory of a process of each serverless service, in bytes."""
    found = {}
    for name, component in scenario.get("components", {}).items():
        autoscaler = component.get("autoscaler") or {}
        if autoscaler.get("kind") == "serverless":
            found[name] = parse_bytes(autoscaler["memory"])
    return found
