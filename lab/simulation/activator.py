"""Knative's activator: hands requests to pods, and keeps those for which no pod has room, or none is there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass

from simpy.events import Event

from lab.randomness import Stream
from lab.simulation.clock import Clock, Handover, Order, Timer
from lab.simulation.fleet import Fleet, Life, Member
from lab.simulation.gone import Gone
from lab.simulation.log import Log
from lab.simulation.request import Handling, Outcome, Request

_FIRST_AVAILABLE = 3  # up to so many requests a pod, the first with room is taken; beyond, they take turns


class Pod:
    """A pod as the activator counts it."""

    __slots__ = ("member", "served")

    def __init__(self, member: Member) -> None:
        self.member = member
        self.served = 0


class Choice:
    """Which pod gets a request: by lot of two where pods have no limit, the first with room, or in turn.

    Source: knative.dev/serving, pkg/activator/net/lb_policy.go.
    """

    def __init__(self, *, room: int | None, choices: Stream) -> None:
        self._room = room
        self._choices = choices
        self._next = 0

    def among(self, pods: list[Pod], request: Request) -> Pod | None:
        """Return a pod with room, or None."""
        if not pods:
            return None
        if self._room is None:
            return self._less_busy_of_two(pods, request)
        begin = 0 if self._room <= _FIRST_AVAILABLE else self._next % len(pods)
        for step in range(len(pods)):
            place = (begin + step) % len(pods)
            if pods[place].served < self._room:
                self._next = place + 1
                return pods[place]
        return None

    def _less_busy_of_two(self, pods: list[Pod], request: Request) -> Pod:
        if len(pods) == 1:
            return pods[0]
        first, second = (
            self._choices.uniform(request.number, request.attempt, 2 * request.visit + draw) for draw in (0, 1)
        )
        one = int(first * len(pods))
        other = int(second * (len(pods) - 1))
        other += other >= one
        return pods[other] if pods[other].served < pods[one].served else pods[one]


Wait = Generator[Event, object, Pod | Outcome]


def _nobody() -> None:
    """Nobody needs to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How many may wait, how long, and who tells of clients that leave."""

    capacity: int
    timeout_s: float
    gone: Gone


class Activator:
    """Passes each request on to a pod with room, first come first served.

    ::

        arrives --> a pod with room? --yes--------------------------------> its answer is passed on
                     | no                                            ^
                     capacity reached? --yes--> rejected (503)       | a pod is ready, or has room again
                     `--no--> waits --------------------------------+
                               |--activator_timeout--> rejected (503)
                               `--client gone--------> timeout

    When somebody asks while no pod is wanted, the autoscaler is told at once. Rows: ``NAME.activator``.

    Attributes:
        under_way: requests that wait here or are at a pod.
        told: called on each arrival; it may have pods started.
    """

    def __init__(self, *, clock: Clock, log: Log, name: str, fleet: Fleet, choice: Choice, patience: Patience) -> None:
        self._clock = clock
        self._log = log
        self._name = f"{name}.activator"
        self._choice = choice
        self._patience = patience
        self._pods = [Pod(member) for member in fleet.ready]
        self._waiting: deque[tuple[Request, Handover]] = deque()
        self._queued = 0
        self._request_time_s = 0.0
        self._changed_s = clock.now
        self.under_way = 0
        self.told: Callable[[], None] = _nobody
        fleet.watch(self._follow)

    def request_time_s(self) -> float:
        """Return the time that requests have been under way until now, summed over them (an area)."""
        now_s = self._clock.now
        self._request_time_s += (now_s - self._changed_s) * self.under_way
        self._changed_s = now_s
        return self._request_time_s

    def handle(self, request: Request) -> Handling:
        """Pass the request on to a pod, now or when one has room."""
        visit = self._log.open_visit(request, self._name, -1, self._clock.now)
        self._count(1)
        self.told()
        pod = self._choice.among(self._pods, request)
        if pod is not None:
            self._assign(pod)
        else:
            given = yield from self._wait(request)
            if isinstance(given, Outcome):
                self._count(-1)
                return visit.turn_away(self._clock.now, given)
            pod = given
        visit.admit(self._clock.now)
        visit.replica = pod.member.index
        outcome = yield from pod.member.handle(request)
        pod.member.disconnect()
        pod.served -= 1
        self._count(-1)
        visit.close(self._clock.now, outcome)
        self._hand_over()
        return outcome

    def _wait(self, request: Request) -> Wait:
        """Wait for a pod, and return it; or how the wait ended."""
        patience = self._patience
        if self._queued >= patience.capacity:
            return Outcome.REJECTED
        place = Handover(self._clock)
        self._waiting.append((request, place))
        self._queued += 1
        Timer(self._clock, patience.timeout_s, Order.EXPIRY, lambda _: self._leave(place, Outcome.REJECTED))
        if patience.gone.since(request) is None:
            patience.gone.tell(request, lambda: self._leave(place, Outcome.TIMEOUT))
        else:
            self._leave(place, Outcome.TIMEOUT)
        given = yield place
        return given if isinstance(given, Pod) else Outcome(str(given))

    def _leave(self, place: Handover, outcome: Outcome) -> None:
        if not place.triggered:
            self._queued -= 1
            place.give(outcome)

    def _assign(self, pod: Pod) -> None:
        pod.served += 1
        pod.member.connect()  # so that draining does not end it before the request has come

    def _hand_over(self) -> None:
        while self._waiting:
            request, place = self._waiting[0]
            if not place.triggered:
                pod = self._choice.among(self._pods, request)
                if pod is None:
                    return
                self._assign(pod)
                self._queued -= 1
                place.give(pod)
            self._waiting.popleft()

    def _follow(self, member: Member) -> None:
        self._pods = [pod for pod in self._pods if pod.member is not member]
        if member.life is Life.READY:
            self._pods.append(Pod(member))
            self._hand_over()

    def _count(self, change: int) -> None:
        self.request_time_s()
        self.under_way += change
