"""A load balancer as it is described: HAProxy before the replicas of one service."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lab.distributions import Constant, Distribution
from lab.quantities import Count, CountOrZero, PositiveDuration, Spec
from lab.scenario.names import Name

_NO_TIME = Constant(mean="0s")  # type: ignore[arg-type]  # text in, seconds inside
_MOST_WEIGHT = 256  # HAProxy's

Weight = Annotated[CountOrZero, Field(le=_MOST_WEIGHT)]


class HealthCheck(Spec):
    """Regular requests to each server that tell whether it is up. A check succeeds if the process answers in time.

    At the start all servers are up, and the checks of n servers lie 1/n of an interval apart.
    """

    interval: PositiveDuration = Field(
        default="2s", validate_default=True, description="Time between the checks of a server that is up."
    )
    fall: Count = Field(default=3, description="Failed checks in a row that take a server down.")
    rise: Count = Field(default=2, description="Successful checks in a row that bring it up again.")
    fast_interval: PositiveDuration | None = Field(
        default=None, description="Time between checks while a server is on its way up or down. None: the interval."
    )
    down_interval: PositiveDuration | None = Field(
        default=None, description="Time between checks of a server that is down. None: the interval."
    )
    timeout: PositiveDuration | None = Field(
        default=None, description="Longest wait for the answer to a check. None: the interval."
    )
    phase: Literal["from_start", "random"] = Field(
        default="from_start",
        description="When the first check comes: from_start: at once, as if the balancer began with the run; random: "
        "anywhere in one interval, drawn, as where it has been there for long. It decides when a failure is noticed.",
    )
    on_marked_down: Literal["keep_sessions", "shutdown_sessions"] = Field(
        default="keep_sessions",
        description="What becomes of the requests under way at a server that is taken down: keep_sessions: they go on; "
        "shutdown_sessions: they end at once (502).",
    )


class LoadBalancer(Spec):
    """HAProxy before the replicas of one service, with its queue."""

    kind: Literal["load_balancer"] = "load_balancer"
    targets: str = Field(description="Name of the service whose replicas it balances.")
    algorithm: Literal["roundrobin", "leastconn", "random", "first", "uri"] = Field(
        default="roundrobin",
        description="roundrobin: in turn; leastconn: fewest requests under way; random: the least busy of some drawn "
        "with replacement; first: the first with room; uri: always the same one for a key.",
    )
    draws: Annotated[Count, Field(le=100)] = Field(default=2, description="How many servers `random` draws.")
    hash_type: Literal["map_based", "consistent"] = Field(
        default="map_based",
        description="How `uri` goes from key to server: map_based: remainder by the number of servers, so that nearly "
        "all keys move when it changes; consistent: points on a ring, so that only the keys of a lost server move.",
    )
    hash_balance_factor: Annotated[Count, Field(gt=100)] | None = Field(
        default=None,
        description="With a consistent `uri`, and with `random`: a replica with more than this percentage of the mean "
        "number of requests under way is passed over. None: none is.",
    )
    weights: tuple[Weight, ...] | None = Field(
        default=None,
        description="Share of each replica, relative to the others, 0 to 256; 0: it gets nothing. Replicas beyond the "
        "last weigh what the last one does. None: 1 each.",
        min_length=1,
    )
    max_connections_per_server: Count | None = Field(
        default=None, description="Requests under way at one replica; beyond it they queue here. None: no limit."
    )
    max_queue: Count | None = Field(
        default=None,
        description="Requests that may wait for one certain replica. Beyond it: with `uri` 503, with `leastconn` they "
        "wait for any. None: with `uri` no limit, with `leastconn` all wait for any.",
    )
    queue_timeout: PositiveDuration = Field(
        default="1s",
        validate_default=True,
        description="Longest wait in the queue; then 503.",
    )
    abort_on_close: bool = Field(
        default=False,
        description="Whether a request leaves the queue when its client gives it up; else it is served for nobody.",
    )
    connect_timeout: PositiveDuration | None = Field(
        default=None,
        description="A refused connection is tried again at the same replica after this time, but no later than 1s. "
        "None: after 1s.",
    )
    retries: CountOrZero = Field(default=3, description="Further attempts to connect after a refusal; then 503.")
    redispatch: bool = Field(
        default=False,
        description="Whether a refused request may go to another replica: at its last attempt, or at once unless the "
        "algorithm is `uri`; and whether those that wait for a replica that goes down choose anew.",
    )
    server_timeout: PositiveDuration | None = Field(
        default=None, description="Longest wait for a replica's answer; then 504. None: for ever."
    )
    health_check: HealthCheck | None = Field(
        default=None, description="How it finds out that a replica is gone. None: it does not, and keeps trying it."
    )
    slow_start: PositiveDuration | None = Field(
        default=None,
        description="Over this time a replica that is added or comes up again gets its full weight and its full number "
        "of connections, in steps. None: at once.",
    )
    forward_time: Distribution = Field(
        default=_NO_TIME, description="Time to pass a request on and its answer back, network included."
    )
    host: Name | None = Field(
        default=None,
        description="Name of a host: `forward_time` is CPU time there, in turns with whatever else computes "
        "there. None: the balancer has a core of its own.",
    )

    def weight(self, place: int) -> int:
        """Return the weight of the server that came as number ``place``, from 0."""
        return 1 if self.weights is None else self.weights[min(place, len(self.weights) - 1)]
