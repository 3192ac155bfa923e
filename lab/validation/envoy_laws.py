"""What the circuit breakers of an Envoy promise."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from lab.scenario.components import Envoy
from lab.scenario.replicas import most_replicas
from lab.scenario.scenario import Scenario
from lab.validation.numbers import numbers_over_time


def broken_envoy_laws(scenario: Scenario, visits: pd.DataFrame, end_s: float) -> Iterator[str]:
    """Never more requests under way or waiting than the thresholds; each under way has a connection.

    Of connections there may be one more for each replica, which has one whatever the threshold is.
    """
    for name, part in scenario.components.items():
        if not isinstance(part, Envoy):
            continue
        most = min(part.max_requests, part.max_connections + most_replicas(scenario, part.targets))
        for replication, own in visits[visits["component"] == name].groupby("replication"):
            busy, waiting, _ = numbers_over_time(own, end_s)
            where = f"{name} in replication {replication}"
            if busy.max(initial=0) > most:
                yield f"circuit breakers: {int(busy.max())} requests under way at {where}, where {most} may be"
            if waiting.max(initial=0) > part.max_pending_requests:
                yield (
                    f"circuit breakers: {int(waiting.max())} requests waited at {where}, where "
                    f"{part.max_pending_requests} may"
                )
