"""The deployment file: which parts there are, and what each endpoint does.

A *demand* is a drawn time in seconds that travels with the request, in the header ``X-Demands``. A step names the
demand that it runs by its index in that list, so that two worlds can be given the very same draws.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from reference_backend import guarding, links, references
from reference_backend.caching import Cache
from reference_backend.client import CircuitBreaker, Client
from reference_backend.database import Database
from reference_backend.edge_cache import EdgeCache
from reference_backend.faults import Fault
from reference_backend.limiting import RateLimiter, Shedding
from reference_backend.load_balancer import LoadBalancer
from reference_backend.queue_spec import Queue
from reference_backend.scaling.spec import Autoscaler
from reference_backend.spec import Index, Name, Seconds, Spec


class CpuStep(Spec):
    """Real CPU work on the replica's event loop, or in the thread whose step it is in.

    Without ``work`` it lasts for the demand. With it, it is what a login really does and takes what that takes:
    ``argon2id`` verifies a password, ``jwt`` signs a token and checks it, ``json`` reads a document and writes it.
    """

    kind: Literal["cpu"]
    demand: Index
    work: Literal["argon2id", "jwt", "json"] | None = None


class WaitStep(Spec):
    """A wait that holds the request's slot and nothing else."""

    kind: Literal["wait"]
    demand: Index


class CachedStep(Spec):
    """A look-up in a cache; the ``miss`` steps run, and the value is stored, when it is not there."""

    kind: Literal["cached"]
    cache: Name
    miss: tuple[Step, ...] = ()


class InvalidateStep(Spec):
    """A key that is taken out of a cache."""

    kind: Literal["invalidate"]
    cache: Name


class QueryStep(Spec):
    """A round trip to a database on a pooled connection, or several one after the other, each on a connection anew.

    Each use runs a demand of its own, the first ``demand`` and the others those after it. Inside a transaction of the
    same database they run on its connection.
    """

    kind: Literal["query"]
    database: Name
    query: Name
    demand: Index
    repeat: Annotated[int, Field(ge=1, le=500)] = 1


class TransactionStep(Spec):
    """Steps that hold one connection of a database, between BEGIN and COMMIT; rolled back if one of them fails.

    After a conflict with another transaction (SQLSTATE 40001) it is done again, as often as there are ``backoffs_s``,
    after so many seconds each, in which it holds no connection. The steps name the demands of the first try; those of
    each further one follow, ``demands`` places on.
    """

    kind: Literal["transaction"]
    database: Name
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    backoffs_s: Annotated[tuple[Annotated[float, Field(ge=0, le=60)], ...], Field(max_length=100)] = ()
    demands: Annotated[int, Field(ge=0, le=100_000)] = 0


class CallStep(Spec):
    """A request to another service; the callee gets the slice of demands that starts at ``demands_from``.

    After ``timeout_s`` the step fails and its connection is closed; the callee works on for nobody. Each process has a
    ``circuit_breaker`` of its own for the step, which fails at once what it refuses.
    """

    kind: Literal["call"]
    target: Name
    endpoint: Name
    demands_from: Index = 0
    demands: Annotated[int, Field(ge=0, le=1000)] = 0
    timeout_s: Seconds | None = None
    circuit_breaker: CircuitBreaker | None = None


class ThreadStep(Spec):
    """Steps that a thread of the replica's pool does, one after the other, while the event loop serves others."""

    kind: Literal["thread"]
    steps: Annotated[
        tuple[Annotated[CpuStep | WaitStep, Field(discriminator="kind")], ...], Field(min_length=1, max_length=64)
    ]


class PublishStep(Spec):
    """A message into a queue; it carries the slice of demands that starts at ``demands_from``.

    Those are the demands of the consumer's endpoint, once for each delivery that the queue allows: a message that is
    delivered again runs the next ones.
    """

    kind: Literal["publish"]
    queue: Name
    demands_from: Index = 0
    demands: Annotated[int, Field(ge=0, le=1000)] = 0


class ParallelStep(Spec):
    """Branches that run at once; the step ends when the last of them has ended."""

    kind: Literal["parallel"]
    branches: Annotated[tuple[tuple[Step, ...], ...], Field(min_length=1, max_length=64)]


Step = Annotated[
    CpuStep
    | WaitStep
    | CachedStep
    | InvalidateStep
    | QueryStep
    | TransactionStep
    | CallStep
    | ThreadStep
    | PublishStep
    | ParallelStep,
    Field(discriminator="kind"),
]


class Endpoint(Spec):
    """What one endpoint does, how many demands a request to it carries, and how long its answer's body is to be."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    demands: Annotated[int, Field(ge=0, le=1000)] = 0
    answer_bytes: Annotated[int, Field(ge=64, le=1_048_576)] | None = None
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]


class Service(Spec):
    """Replicas of a FastAPI application, a uvicorn process each.

    With an autoscaler, ``replicas`` is how many each repeat begins with. ``boot_times_s`` says for each replica, by its
    number in the repeat, how long after its start it is ready, if its real boot was not longer.
    """

    kind: Literal["service"]
    replicas: Annotated[int, Field(ge=0, le=64)] = 1
    concurrency: Annotated[int, Field(ge=1, le=100_000)] | None = None
    backlog: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    autoscaler: Autoscaler | None = None
    boot_times_s: Annotated[tuple[Annotated[float, Field(ge=0, le=3600)], ...], Field(max_length=10_000)] = ()
    shedding: Shedding | None = None
    threads: Annotated[int, Field(ge=1, le=1_000)] = 40
    switch_interval_s: Seconds = 0.005
    endpoints: Annotated[dict[Name, Endpoint], Field(min_length=1)]

    @property
    def most_processes(self) -> int:
        """The most processes at a time: when all are replaced, as many drain as there may be."""
        return self.replicas if self.autoscaler is None else 2 * self.autoscaler.max


Part = Annotated[
    EdgeCache | LoadBalancer | RateLimiter | Service | Cache | Database | Queue, Field(discriminator="kind")
]


class Deployment(Spec):
    """A whole backend: its parts by name, where requests enter, how the client behaves, and what goes wrong.

    ``cores``: on how many cores of this machine the whole backend runs; null for all but the load generator's.
    """

    schema_version: Literal[1]
    name: Name
    entry: Name
    cores: Annotated[int, Field(ge=1, le=1024)] | None = None
    client: Client = Client()
    parts: Annotated[dict[Name, Part], Field(min_length=1, max_length=100)]
    faults: tuple[Fault, ...] = ()

    @model_validator(mode="after")
    def _references_hold(self) -> Self:
        problems = references.problems_of(self) or guarding.problems_of(self) or links.problems_of(self)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def services(self) -> dict[str, Service]:
        """Return the services by name, in the file's order."""
        return {name: part for name, part in self.parts.items() if isinstance(part, Service)}

    def load_balancers(self) -> dict[str, LoadBalancer]:
        """Return the load balancers by name, in the file's order."""
        return {name: part for name, part in self.parts.items() if isinstance(part, LoadBalancer)}

    def rate_limiters(self) -> dict[str, RateLimiter]:
        """Return the rate limiters by name, in the file's order."""
        return {name: part for name, part in self.parts.items() if isinstance(part, RateLimiter)}

    def caches(self) -> dict[str, Cache]:
        """Return the caches by name, in the file's order."""
        return {name: part for name, part in self.parts.items() if isinstance(part, Cache)}

    def databases(self) -> dict[str, Database]:
        """Return the databases by name, in the file's order."""
        return {name: part for name, part in self.parts.items() if isinstance(part, Database)}

    def queues(self) -> dict[str, Queue]:
        """Return the queues by name, in the file's order."""
        return {name: part for name, part in self.parts.items() if isinstance(part, Queue)}

    def is_platform(self, name: str) -> bool:
        """Return whether a part is a service whose requests a platform for functions hands out."""
        part = self.parts[name]
        return isinstance(part, Service) and part.autoscaler is not None and part.autoscaler.kind == "serverless"

    def service_behind(self, name: str) -> Service:
        """Return the service that answers when ``name`` (a front or a service) is called."""
        part = self.parts[self.behind(name)[-1]]
        if not isinstance(part, Service):
            raise KeyError(f"{name} does not lead to a service")
        return part

    def behind(self, name: str) -> tuple[str, ...]:
        """Return the names from this one on to the service that answers, each the target of the one before."""
        part = self.parts[name]
        return (
            (name, *self.behind(part.targets)) if isinstance(part, EdgeCache | LoadBalancer | RateLimiter) else (name,)
        )

    def limiter_before(self, service: str) -> tuple[str, RateLimiter] | None:
        """Return the rate limiter that guards a service, with its name."""
        guarding = (item for item in self.rate_limiters().items() if self.behind(item[0])[-1] == service)
        return next(guarding, None)

    def edge_caches(self) -> dict[str, EdgeCache]:
        """Return the edge caches by name, in the file's order."""
        return {name: part for name, part in self.parts.items() if isinstance(part, EdgeCache)}

    def proxies(self) -> tuple[str, ...]:
        """Return the names of what HAProxy does: load balancers and edge caches, in the file's order."""
        return tuple(name for name, part in self.parts.items() if isinstance(part, EdgeCache | LoadBalancer))

    def proxy_at(self, name: str) -> str | None:
        """Return the load balancer or edge cache that requests to ``name`` come to first, if there is one."""
        return next((each for each in self.behind(name) if each in self.proxies()), None)
