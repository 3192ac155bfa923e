"""What is sure while a zone is lost: none of its replicas takes a request."""

from __future__ import annotations

import json
from collections.abc import Iterator

from lab.runs.run import Run
from lab.scenario.faults import ScaleFault, ZoneLossFault, ends_s
from lab.scenario.scenario import Scenario
from lab.scenario.service import Service
from lab.scenario.zones import services_in


def broken_zone_laws(scenario: Scenario, run: Run) -> Iterator[str]:
    """No replica of a lost zone serves. Of services whose number changes only the log knows who is where."""
    own = run.provenance.get("own_components", [])
    for fault in scenario.faults:
        if not isinstance(fault, ZoneLossFault):
            continue
        for name in services_in(scenario, fault.zone):
            service = scenario.components[name]
            if not isinstance(service, Service) or name in own or _changes(scenario, name, service):
                continue
            visits = run.visits[(run.visits["component"] == name) & (run.visits["replica"] >= 0)]
            during = visits[(visits["arrival_s"] > fault.at) & (visits["arrival_s"] < ends_s(fault))]
            for replication, rows in during.groupby("replication"):
                first = _addresses(run, name, replication)
                there = sum(
                    service.zones[first.get(int(replica), int(replica)) % len(service.zones)] == fault.zone
                    for replica in rows["replica"]
                )
                if there:
                    yield (
                        f"zone: {there} requests came to replicas of {name} in zone {fault.zone} in replication "
                        f"{replication}, while it was lost"
                    )


def _changes(scenario: Scenario, name: str, service: Service) -> bool:
    by_hand = any(isinstance(fault, ScaleFault) and fault.component == name for fault in scenario.faults)
    return by_hand or service.autoscaler is not None


def _addresses(run: Run, name: str, replication: object) -> dict[int, int]:
    """Return, of each restarted replica, the first one at its address."""
    events = run.events
    own = events[(events["replication"] == replication) & (events["component"] == name) & (events["kind"] == "restart")]
    first: dict[int, int] = {}
    for text in own["detail"]:
        detail = json.loads(text)
        first[detail["replica"]] = first.get(detail["replaces"], detail["replaces"])
    return first
