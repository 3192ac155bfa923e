"""A load balancer of a deployment: a frontend and a backend of HAProxy."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from reference_backend.spec import Name, Seconds, Spec

_Count = Annotated[int, Field(ge=1, le=100_000)]


class HealthCheck(Spec):
    """HAProxy's checks of each server: ``inter``, ``fall``, ``rise`` and their kin."""

    interval_s: Seconds = 2.0
    fall: Annotated[int, Field(ge=1, le=1000)] = 3
    rise: Annotated[int, Field(ge=1, le=1000)] = 2
    fast_interval_s: Seconds | None = None
    down_interval_s: Seconds | None = None
    timeout_s: Seconds | None = None
    on_marked_down: Literal["keep_sessions", "shutdown_sessions"] = "keep_sessions"


class LoadBalancer(Spec):
    """A frontend and a backend of HAProxy; what a key leaves open is as HAProxy has it.

    ``hash`` sends each key always to the same server, by the parameter ``key`` of the request. With no
    ``health_check``, servers are checked nevertheless, so that a busy host is noticed; but not where faults happen.
    """

    kind: Literal["load_balancer"]
    algorithm: Literal["roundrobin", "leastconn", "random", "first", "hash"]
    targets: Name
    draws: Annotated[int, Field(ge=1, le=100)] = 2
    hash_type: Literal["map_based", "consistent"] = "map_based"
    hash_balance_factor: Annotated[int, Field(gt=100, le=65_535)] | None = None
    weights: Annotated[tuple[Annotated[int, Field(ge=0, le=256)], ...], Field(min_length=1)] | None = None
    max_connections_per_server: _Count | None = None
    max_queue: _Count | None = None
    queue_timeout_s: Seconds = 1.0
    server_timeout_s: Seconds | None = 30.0
    connect_timeout_s: Seconds = 1.0
    retries: Annotated[int, Field(ge=0, le=100)] = 3
    redispatch: bool = False
    abort_on_close: bool = False
    slow_start_s: Seconds | None = None
    health_check: HealthCheck | None = None

    @model_validator(mode="after")
    def _queues_that_are_bounded(self) -> Self:
        if self.max_queue is not None and self.max_connections_per_server is None:
            raise ValueError("max_queue bounds who waits for a full server; give max_connections_per_server too")
        return self

    def weight(self, place: int) -> int:
        """Return the weight of the server that came as number ``place``; those beyond the last weigh what it does."""
        return 1 if self.weights is None else self.weights[min(place, len(self.weights) - 1)]
