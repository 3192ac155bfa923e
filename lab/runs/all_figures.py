"""All figures of a run: how it went, what it used, and what that cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lab.runs.aggregates import Aggregates
from lab.runs.costs import cost_frame
from lab.runs.fleets import replica_seconds_frame
from lab.runs.invocations import gb_seconds_frame
from lab.runs.metrics import metrics_frame
from lab.runs.window import Window


def figures_frame(
    *,
    requests: pd.DataFrame,
    visits: pd.DataFrame | Aggregates,
    samples: pd.DataFrame,
    scenario: Mapping[str, Any],
    window: Window,
) -> pd.DataFrame:
    """Return the figures of every replication: those of requests and components, what was used, what it cost.

    What they are: :func:`lab.runs.metrics.metrics_frame`, :mod:`lab.runs.fleets`, :mod:`lab.runs.invocations` and
    :mod:`lab.runs.costs`.

    Args:
        requests: the requests table.
        visits: the visits table, or the aggregates that were kept instead.
        samples: the samples table.
        scenario: the scenario document.
        window: the stretch that counts.

    Returns:
        Columns replication, metric, subject, value, unit.

    Raises:
        NotEnoughData: a replication has no request in the window.
    """
    figures = metrics_frame(requests=requests, visits=visits, window=window)
    replications = tuple(int(number) for number in figures["replication"].unique())
    fleets = replica_seconds_frame(samples, scenario, replications=replications, window=window)
    billed = gb_seconds_frame(figures, scenario, window=window)
    used = pd.concat([frame for frame in (fleets, billed) if not frame.empty] or [fleets], ignore_index=True)
    costs = cost_frame(requests=requests, visits=visits, used=used, scenario=scenario, window=window)
    return pd.concat([frame for frame in (figures, used, costs) if not frame.empty], ignore_index=True)
