"""Gauges that both worlds have: how many wait and are in service at each component, second by second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lab.runs.aggregates import Aggregates
from lab.runs.aggregator import usual_bin_s
from lab.runs.tables import SAMPLES
from lab.runs.timeline import timeline_frame
from lab.runs.window import window_of


def gauges(requests: pd.DataFrame, visits: pd.DataFrame | Aggregates, scenario: Mapping[str, Any]) -> pd.DataFrame:
    """Return ``number_waiting_mean`` and ``number_in_service_mean`` of each component as rows of the samples table.

    They are areas under the visits, divided by the second before ``time_s`` (a longer stretch in very long runs);
    replica -1 stands for all replicas together.

    Args:
        requests: the requests table.
        visits: the visits table, or the aggregates that were kept instead.
        scenario: the scenario document, for the duration.
    """
    whole = window_of(scenario, warm_up=False)
    every_s = usual_bin_s(whole.length_s)
    timeline = timeline_frame(requests=requests, visits=visits, window=whole, bin_s=every_s)
    numbers = timeline[timeline["metric"].isin(["number_waiting_mean", "number_in_service_mean"])]
    return SAMPLES.frame(
        {
            "replication": numbers["replication"],
            "time_s": (numbers["time_s"] + every_s).clip(upper=whole.end_s),
            "component": numbers["subject"].astype(str),
            "replica": [-1] * len(numbers),
            "gauge": numbers["metric"].astype(str),
            "value": numbers["value"],
        }
    )
