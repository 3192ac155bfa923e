"""Whether the queue before a part has a bound, or grows for as long as the part is overloaded."""

from __future__ import annotations

from collections.abc import Iterator

from lab.scenario.channels import Channel
from lab.scenario.components import (
    Component,
    Envoy,
    Host,
    LoadBalancer,
    Mailbox,
    Nginx,
    Queue,
    Service,
    Stream,
    WaitingRoom,
)
from lab.scenario.fronts import leads_to
from lab.scenario.places import Place
from lab.scenario.replicas import hands_out
from lab.scenario.scenario import Scenario
from lab.scenario.shedding import ServerCodel
from lab.scenario.steps import CallStep, ParallelStep, StepSpec, nested


def queue_is_bounded(scenario: Scenario, place: Place) -> bool:
    """Return whether something ends the queue: a backlog, a capacity, shedding, or a queue or pool timeout.

    The client's timeout does not, but in a waiting room: it ends what the client sees, but the work that it left behind
    is still done. Nor does a caller of few requests at once that does not always wait for its calls to end.
    """
    if place.resource == "bulkhead":
        return True  # who waits there has a longest wait
    if place.resource in ("handshakes", "open_connections"):
        return False
    component = scenario.components[place.component]
    if isinstance(component, Queue | Mailbox):
        return component.capacity is not None
    if isinstance(component, Stream):
        return False
    if isinstance(component, WaitingRoom):
        patient = scenario.client.timeout is None and scenario.client.deadline is None  # who gives up leaves the line
        return component.max_queue is not None or component.queue_timeout is not None or not patient
    if isinstance(component, Service):
        return _few_at_once(scenario, place.component, {})
    if isinstance(component, Host):
        known: dict[str, bool] = {}
        parts = scenario.components.items()
        if any(_forwards_any_number(part, place.component) for _, part in parts):
            return False
        on_it = [name for name, part in parts if isinstance(part, Service) and place.component in part.hosts]
        return all(_few_at_once(scenario, name, known) for name in on_it)
    return True  # a load balancer and a pool always have a timeout, an nginx no queue, and nobody queues at a cache


def _forwards_any_number(part: Component, host: str) -> bool:
    return isinstance(part, LoadBalancer) and part.host == host and part.max_connections_per_server is None


def _few_at_once(scenario: Scenario, name: str, known: dict[str, bool]) -> bool:
    """Whether the number of requests in a service has a bound: its own, or that of everybody who calls it."""
    if name not in known:
        service = scenario.components[name]
        assert isinstance(service, Service)
        refuses = _thinned_out(scenario, service) or hands_out(service)
        known[name] = refuses or all(_ways_in(scenario, name, known))
    return known[name]


def _thinned_out(scenario: Scenario, service: Service) -> bool:
    """Whether its own keys bound the backlog: how many wait, or how long whoever is called may have waited.

    CoDel does not: it sheds the more often the longer the wait is too long, but knows no longest wait.
    """
    impatient = scenario.client.timeout is not None or scenario.client.deadline is not None
    expires = service.drop_expired and impatient
    return service.backlog is not None or isinstance(service.shedding, ServerCodel) or expires


def _ways_in(scenario: Scenario, name: str, known: dict[str, bool]) -> Iterator[bool]:
    if _leads_to(scenario, scenario.entry, name):
        yield _holds_back(scenario, scenario.entry)
    for caller, component in scenario.components.items():
        if isinstance(component, Channel) and component.consumer == name:
            yield True  # it takes no more than it may hold unacknowledged
        if isinstance(component, Service):
            for step, waits in _calls(component):
                if _leads_to(scenario, step.target, name):
                    yield _holds_back(scenario, step.target) or (waits and _few_at_once(scenario, caller, known))


def _calls(service: Service) -> Iterator[tuple[CallStep, bool]]:
    """The calls of a service, and whether it always waits for their ends: else its next ones come on top of them."""
    for steps in service.endpoints.values():
        yield from _calls_of(steps, waits=True)


def _calls_of(steps: tuple[StepSpec, ...], *, waits: bool) -> Iterator[tuple[CallStep, bool]]:
    for step in steps:
        if isinstance(step, CallStep):
            yield step, waits and step.timeout is None and step.hedge is None
        for _, inner in nested(step):
            yield from _calls_of(inner, waits=waits and not (isinstance(step, ParallelStep) and not step.waits_for_all))


def _leads_to(scenario: Scenario, name: str, service: str) -> bool:
    return leads_to(scenario, name)[-1] == service


def _holds_back(scenario: Scenario, name: str) -> bool:
    for front in (scenario.components[each] for each in leads_to(scenario, name)):
        match front:
            case LoadBalancer(max_connections_per_server=int()) | Nginx(max_conns=int()):
                return True
            case Envoy():
                return True
            case WaitingRoom(max_active=int(), session_duration=None):
                return True
            case _:
                pass
    return False
