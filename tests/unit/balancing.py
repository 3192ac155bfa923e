"""A balancer before a fleet whose processes come, go and die when the test says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab.simulation.build import World
from lab.simulation.build.service import make_replica
from lab.simulation.clock import Order, Timer
from lab.simulation.fleet import Fleet, Member
from lab.simulation.load_balancer.balancer import LoadBalancer
from lab.simulation.load_balancer.server import Server
from lab.simulation.request import Handling, Outcome, Request
from tests.unit.backends import scenario, service, waiting


@dataclass
class Answer:
    """How one request ended, when, and at which replica (-1: none)."""

    start_s: float
    end_s: float = -1.0
    outcome: Outcome = Outcome.IN_FLIGHT
    replica: int = -1


@dataclass
class Rig:
    """A load balancer ``edge`` before a service ``api`` of mortal processes, each request a constant wait."""

    replicas: int = 2
    time: str = "100ms"
    edge: dict[str, Any] = field(default_factory=dict)
    faulty: bool = False  # whether its processes can be frozen

    def __post_init__(self) -> None:
        parts = {
            "edge": {"kind": "load_balancer", "targets": "api"} | self.edge,
            "api": service(waiting(self.time), replicas=self.replicas),
        }
        described = scenario(parts, entry="edge")
        failing = frozenset({"api"} if self.faulty else ())
        self.world = World(scenario=described, seed=1, replication=0, requests=1000, own={}, failing=failing)
        self.clock, self.log = self.world.clock, self.world.log
        spec = described.components["api"]
        self.fleet = Fleet(
            clock=self.clock,
            make=lambda index: make_replica(self.world, "api", spec, index),
            mortal=True,
        )
        for _ in range(self.replicas):
            self.fleet.start()
        self.world._fleets["api"] = self.fleet
        self.balancer = self.world.part("edge")
        assert isinstance(self.balancer, LoadBalancer)
        self.answers: list[Answer] = []

    @property
    def members(self) -> list[Member]:
        """The processes, oldest first."""
        return self.fleet.members

    @property
    def servers(self) -> list[Server]:
        """What the balancer knows of its servers."""
        return self.balancer._backend.servers

    def at(self, time_s: float, do: Callable[[], object]) -> None:
        """Do something at a time, before the requests of that time are sent."""
        Timer(self.clock, time_s, Order.COMPLETION, lambda _: do())

    def send(self, *starts_s: float, keys: list[int] | None = None) -> None:
        """Send a request at each of these times."""
        for number, start_s in enumerate(starts_s):
            answer = Answer(start_s)
            self.answers.append(answer)
            request = Request(len(self.answers) - 1, 0, "get", keys[number] if keys else 0, 0)
            Timer(self.clock, start_s, Order.ARRIVAL, lambda _, a=answer, r=request: self._start(a, r))

    def _start(self, answer: Answer, request: Request) -> None:
        self.clock.process(self._ask(answer, request))

    def _ask(self, answer: Answer, request: Request) -> Handling:
        answer.outcome = yield from self.balancer.handle(request)
        answer.end_s = self.clock.now
        return answer.outcome

    def run(self, until_s: float = 100.0) -> list[Answer]:
        """Let the time pass, and return the answers in the order of sending."""
        self.clock.run(until=until_s)
        rows = {visit.request: visit.replica for visit in self.log.visits if visit.component == "edge"}
        for number, answer in enumerate(self.answers):
            answer.replica = rows.get(number, -1)
            answer.end_s = round(answer.end_s, 9)
        return self.answers

    def events(self, *kinds: str) -> list[tuple[float, str, int]]:
        """The balancer's events of these kinds: when, which kind, and the slot of the server."""
        return [
            (round(time_s, 9), kind, json.loads(detail)["server"])
            for time_s, component, kind, detail in self.log.events
            if component == "edge" and (not kinds or kind in kinds)
        ]
