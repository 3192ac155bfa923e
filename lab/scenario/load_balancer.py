"""A load balancer as it is described: HAProxy before the replicas of one service."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lab.distributions import Constant, Distribution
from lab.quantities import Count, PositiveDuration, Spec

_NO_TIME = Constant(mean="0s")  # type: ignore[arg-type]  # text in, seconds inside


class LoadBalancer(Spec):
    """HAProxy before the replicas of one service, with its queue."""

    kind: Literal["load_balancer"] = "load_balancer"
    targets: str = Field(description="Name of the service whose replicas it balances.")
    algorithm: Literal["roundrobin", "leastconn", "random"] = Field(
        default="roundrobin",
        description="roundrobin: in turn; leastconn: fewest requests under way; random: the less busy of two drawn "
        "with replacement.",
    )
    max_connections_per_server: Count | None = Field(
        default=None, description="Requests under way at one replica; beyond it they queue here. None: no limit."
    )
    queue_timeout: PositiveDuration = Field(
        default="1s",
        validate_default=True,
        description="Longest wait in the queue; then 503.",
    )
    server_timeout: PositiveDuration | None = Field(
        default=None, description="Longest wait for a replica's answer; then 504. None: for ever."
    )
    forward_time: Distribution = Field(
        default=_NO_TIME, description="Time to pass a request on and its answer back, network included."
    )
