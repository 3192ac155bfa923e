"""nginx as it is described: before the replicas of one service, with passive failure marking and no queue."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lab.distributions import Constant, Distribution
from lab.quantities import Count, CountOrZero, PositiveDuration, Spec

_NO_TIME = Constant(mean="0s")  # type: ignore[arg-type]  # text in, seconds inside
_MOST_WEIGHT = 65_535


class Nginx(Spec):
    """nginx (open source) before the replicas of one service: it notices failures by requests, and has no queue."""

    kind: Literal["nginx"] = "nginx"
    targets: str = Field(description="Name of the service whose replicas it balances.")
    algorithm: Literal["round_robin", "least_conn", "random", "random_two"] = Field(
        default="round_robin",
        description="round_robin: in turn, spread evenly by weight; least_conn: fewest requests under way per weight; "
        "random: by lot; random_two: of two different ones drawn, the one with fewer requests under way per weight.",
    )
    weights: tuple[Annotated[Count, Field(le=_MOST_WEIGHT)], ...] | None = Field(
        default=None,
        description="Share of each replica, relative to the others. Replicas beyond the last weigh what the last one "
        "does. None: 1 each.",
        min_length=1,
    )
    max_conns: Count | None = Field(
        default=None,
        description="Requests under way at one replica; a full one is passed over, and 502 is answered at once when "
        "all are. None: no limit.",
    )
    max_fails: CountOrZero = Field(
        default=1,
        description="Failed tries that take a replica out for the fail_timeout. 0: never. One replica alone is never "
        "taken out.",
    )
    fail_timeout: PositiveDuration = Field(
        default="10s",
        validate_default=True,
        description="For how long a replica that failed gets nothing, in whole seconds; then one request tries it.",
    )
    next_upstream: tuple[Literal["error", "timeout", "http_500", "http_503", "non_idempotent"], ...] = Field(
        default=("error", "timeout"),
        description="After what the request is tried at another replica: error: a connection refused or reset; "
        "timeout: of the read_timeout; http_500, http_503: such an answer; non_idempotent: also requests that change "
        "something, once they have been sent. What is not named here does not count as a failed try but for error and "
        "timeout, which always do.",
    )
    next_upstream_tries: CountOrZero = Field(
        default=0, description="Most replicas that are tried for one request. 0: as many as there are."
    )
    next_upstream_timeout: PositiveDuration | None = Field(
        default=None, description="Since its first try, after which time a request is tried no more. None: no limit."
    )
    read_timeout: PositiveDuration = Field(
        default="60s", validate_default=True, description="Longest wait for a replica's answer; then 504."
    )
    ignore_client_abort: bool = Field(
        default=False,
        description="Whether a request stays under way at its replica when its client gives it up; else the connection "
        "is closed at once, and the replica works on for nobody.",
    )
    forward_time: Distribution = Field(
        default=_NO_TIME, description="Time to pass a request on and its answer back, network included."
    )

    @model_validator(mode="after")
    def _whole_seconds(self) -> Nginx:
        if self.fail_timeout != round(self.fail_timeout):
            raise ValueError(f"fail_timeout is {self.fail_timeout:g} s, but nginx counts it in whole seconds")
        return self

    def weight(self, place: int) -> int:
        """Return the weight of the server that came as number ``place``, from 0."""
        return 1 if self.weights is None else self.weights[min(place, len(self.weights) - 1)]
