"""The links of a deployment: who asks whom over a network, and between whom faults strike it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from reference_backend.references import CLIENT, walk

if TYPE_CHECKING:
    from reference_backend.deployment import Deployment, Step


class Link(NamedTuple):
    """The network from a caller to a callee; ``client`` is the load generator."""

    caller: str
    callee: str

    @property
    def name(self) -> str:
        """Return what its process is called, as the simulator's rows are."""
        return f"{self.caller}.to.{self.callee}"


def struck_links(deployment: Deployment) -> tuple[Link, ...]:
    """Return the links that faults strike, each once."""
    struck = [set(fault.between) for fault in deployment.faults if fault.kind in ("partition", "slow_link")]
    return tuple(link for link in dict.fromkeys(_links(deployment)) if set(link) in struck)


def problems_of(deployment: Deployment) -> list[str]:
    """Return what keeps faults from striking the links that they name."""
    links, problems = set(_links(deployment)), []
    consumed = {Link(queue.consumer, name) for name, queue in deployment.queues().items()}
    for number, fault in enumerate(deployment.faults):
        if fault.kind not in ("partition", "slow_link"):
            continue
        between = {Link(*fault.between), Link(*reversed(fault.between))}
        said = " and ".join(repr(end) for end in fault.between)
        if not between & links:
            problems.append(f"faults[{number}].between: neither of {said} asks the other over a network")
        elif between & links & consumed:
            problems.append(f"faults[{number}].between: {said}: one publishes to the other and consumes it, too")
    return problems


def _links(deployment: Deployment) -> Iterator[Link]:
    yield Link(CLIENT, deployment.entry)
    for name, service in deployment.services().items():
        for endpoint in service.endpoints.values():
            for _, step in walk(endpoint.steps, ""):
                asked = _asked(step)
                if asked is not None:
                    yield Link(name, asked)
    for name, edge in deployment.edge_caches().items():
        yield Link(name, edge.targets)


def _asked(step: Step) -> str | None:
    match step.kind:
        case "query" | "transaction":
            return step.database
        case "cached" | "invalidate":
            return step.cache
        case "call":
            return step.target
        case "publish":
            return step.queue
        case "cpu" | "wait" | "thread" | "parallel":
            return None
