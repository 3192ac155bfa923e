"""What a load balancer promises about its queue."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from lab.scenario.components import LoadBalancer
from lab.scenario.places import Place, servers
from lab.scenario.replicas import processes_end
from lab.scenario.scenario import Scenario
from lab.validation.numbers import numbers_over_time
from lab.validation.order import overtaken

_TOLERANCE_S = 1e-9


def broken_balancer_laws(scenario: Scenario, visits: pd.DataFrame, end_s: float) -> Iterator[str]:
    """Where a balancer keeps one queue for all servers: nobody waits while one has room, and who came first goes first.

    With ``random`` somebody may wait beside a server with room, and who draws one with room overtakes the queue; but
    those that do wait are served in the order in which they came. Where processes come and go, the balancer may know of
    a server only later, or think that a dead one lives, and who was refused waits as well.
    """
    for name, part in scenario.components.items():
        if not isinstance(part, LoadBalancer) or not _queues_for_all(part) or processes_end(scenario, part.targets):
            continue
        places = servers(scenario, Place(component=name, resource="slots"))
        for replication, own in visits[visits["component"] == name].groupby("replication"):
            where = f"{name} in replication {replication}"
            yield from overtaken(own, where)
            if places is None or part.algorithm == "random":
                continue
            busy, waiting, span_s = numbers_over_time(own, end_s)
            idle_s = float(span_s[(waiting > 0) & (busy < places)].sum())
            if idle_s > _TOLERANCE_S * len(own):
                yield f"idle server: somebody waited for {idle_s:.9f} s at {where} while a server had room"


def _queues_for_all(balancer: LoadBalancer) -> bool:
    """Whether nobody ever waits for one certain server."""
    return balancer.algorithm != "uri" and balancer.max_queue is None
