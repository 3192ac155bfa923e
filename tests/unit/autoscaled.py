"""A service with an autoscaler behind a balancer of the tests' own, and a schedule made by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from lab.scenario.scenario import Scenario
from lab.scenario.schedule import Schedule
from lab.simulation.build import Context
from lab.simulation.replicate import replicate
from lab.simulation.request import Handling, Request
from tests.unit.backends import scenario, service, waiting


class InTurn:
    """Sends each request to the next of the replicas that are ready then; it knows of changes at once."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def handle(self, request: Request) -> Handling:
        """Pass the request on."""
        ready = self._context.replicas("api")
        visit = self._context.log.open_visit(request, "edge", -1, self._context.clock.now)
        visit.admit(self._context.clock.now)
        outcome = yield from ready[request.number % len(ready)].handle(request)
        return visit.close(self._context.clock.now, outcome)


def autoscaled(*, autoscaler: dict[str, Any], duration: str = "300s", **others: Any) -> Scenario:
    """Return a scenario whose requests take a second each, unless ``steps`` says otherwise."""
    steps = others.pop("steps", [waiting("1s")])
    faults = others.pop("faults", [])
    others = {"replicas": 2, "concurrency": 20, "boot_time": "8s"} | others
    return scenario(
        {
            "edge": {"kind": "load_balancer", "targets": "api"},
            "api": service(*steps, autoscaler=autoscaler, **others),
        },
        entry="edge",
        faults=faults,
        run={"duration": duration},
    )


class Watched:
    """What one replication of it shows."""

    def __init__(self, described: Scenario, starts_s: np.ndarray[Any, Any], *, own_balancer: bool = True) -> None:
        schedule = Schedule(
            intended_start_s=starts_s, endpoint=("get",) * len(starts_s), key=np.zeros(len(starts_s), dtype=int)
        )
        observed = replicate(described, schedule, seed=1, replication=0, own={"edge": InTurn} if own_balancer else None)
        self.requests, self.visits = pd.DataFrame(observed.requests), pd.DataFrame(observed.visits)
        self.events, self._samples = pd.DataFrame(observed.events), pd.DataFrame(observed.samples)

    def decisions(self) -> list[tuple[float, int]]:
        """When how many replicas were decided on, each change once."""
        return [(at_s, said["after"]) for at_s, said in self.why() if said["after"] != said["before"]]

    def why(self, kind: str = "scaling_decision") -> list[tuple[float, dict[str, Any]]]:
        """The events of a kind with their details."""
        own = self.events[self.events["kind"] == kind]
        return [(row.time_s, json.loads(row.detail)) for row in own.itertuples()]

    def gauge(self, name: str) -> list[tuple[float, float]]:
        """The steps of a gauge of the service."""
        own = self._samples[self._samples["gauge"] == name]
        return [(row.time_s, row.value) for row in own.itertuples()]
