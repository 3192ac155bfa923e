"""What balancers promise that ask another server after a failure: nginx."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from lab.scenario.components import Nginx
from lab.scenario.faults import BadDeployFault, struck
from lab.scenario.places import Place, servers
from lab.scenario.replicas import processes_end
from lab.scenario.scenario import Scenario


def tried_again(scenario: Scenario, visits: pd.DataFrame) -> pd.DataFrame:
    """Return (replication, request) of the requests that such a balancer has asked a second server for.

    What their first tries took is the wait of the balancer's row, and stands in the rows of whom it asked too.
    """
    names = [name for name, part in scenario.components.items() if isinstance(part, Nginx)]
    again = visits[visits["component"].isin(names) & (visits["waiting_time_s"] > 0)]
    return again[["replication", "request"]].drop_duplicates()


def broken_retrying_laws(scenario: Scenario, visits: pd.DataFrame) -> Iterator[str]:
    """Where no replica can fail, nginx turns away nobody but when all are full, and nobody waits there."""
    for name, part in scenario.components.items():
        if not isinstance(part, Nginx) or _may_fail(scenario, part):
            continue
        places = servers(scenario, Place(component=name, resource="slots"))
        for replication, own in visits[visits["component"] == name].groupby("replication"):
            where = f"{name} in replication {replication}"
            waited = int((own["waiting_time_s"] > 0).sum())
            if waited:
                yield f"no queue: {waited} requests waited at {where}, which has none"
            early = _turned_away_early(own, places)
            if early:
                yield f"turned away: {early} requests at {where}, while a replica had room"


def _may_fail(scenario: Scenario, nginx: Nginx) -> bool:
    impatient = nginx.read_timeout < scenario.run.duration
    retried = bool({"http_500", "http_503"} & set(nginx.next_upstream))
    bad = any(isinstance(fault, BadDeployFault) and nginx.targets in struck(fault) for fault in scenario.faults)
    return impatient or retried or bad or processes_end(scenario, nginx.targets)


def _turned_away_early(own: pd.DataFrame, places: int | None) -> int:
    """How many were turned away while fewer were under way than there are places, at that very time included."""
    turned = own[(own["replica"] < 0) & own["departure_s"].notna()]
    if places is None:
        return len(turned)
    served = own[own["replica"] >= 0]
    early = 0
    for now_s in turned["arrival_s"]:
        under_way = (served["admitted_s"] <= now_s) & ~(served["departure_s"] < now_s)
        early += int(under_way.sum() < places)
    return early
