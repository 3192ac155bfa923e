"""Envoy as it is described: before the replicas of one service, with circuit breakers and outlier ejection."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lab.distributions import Constant, Distribution
from lab.quantities import Count, CountOrZero, Number, PositiveDuration, Ratio, Spec

_NO_TIME = Constant(mean="0s")  # type: ignore[arg-type]  # text in, seconds inside


class OutlierDetection(Spec):
    """Takes replicas out (ejects them) by the answers that requests get there; each ejection lasts longer."""

    interval: PositiveDuration = Field(
        default="10s",
        validate_default=True,
        description="Time between the looks at success rates, and at which replicas are let in again.",
    )
    consecutive_5xx: CountOrZero = Field(
        default=5,
        description="Failed requests in a row (any 5xx, refused or reset connections, timeouts) that eject a replica "
        "at once. 0: never.",
    )
    base_ejection_time: PositiveDuration = Field(
        default="30s",
        validate_default=True,
        description="How long an ejection lasts, times how often the replica was ejected; one time less for each "
        "interval that it is well. It ends with the next look.",
    )
    max_ejection_time: PositiveDuration = Field(default="300s", validate_default=True, description="Longest ejection.")
    max_ejection_percent: Ratio = Field(
        default="10%",
        validate_default=True,
        description="The share of replicas that may be ejected at a time: below ten replicas the default ejects none.",
    )
    always_eject_one_host: bool = Field(
        default=False, description="Whether one replica may be ejected whatever the max_ejection_percent is."
    )
    enforcing_success_rate: bool = Field(
        default=True,
        description="Whether replicas are ejected whose success rate over an interval is far below that of the others.",
    )
    success_rate_minimum_hosts: Count = Field(
        default=5, description="Replicas with enough requests in an interval, without which rates are not compared."
    )
    success_rate_request_volume: Count = Field(
        default=100, description="Requests in an interval that are enough for a replica's rate."
    )
    success_rate_stdev_factor: Annotated[Number, Field(gt=0, le=100)] = Field(
        default=1.9, description="How many standard deviations below the mean rate are too far."
    )

    @model_validator(mode="after")
    def _grows(self) -> OutlierDetection:
        if self.max_ejection_time < self.base_ejection_time:
            raise ValueError("max_ejection_time is less than base_ejection_time, which is the least ejection")
        return self


class Envoy(Spec):
    """Envoy before the replicas of one service, over HTTP/1.1: each request under way has a connection of its own."""

    kind: Literal["envoy"] = "envoy"
    targets: str = Field(description="Name of the service whose replicas it balances.")
    algorithm: Literal["round_robin", "least_request", "random", "ring_hash"] = Field(
        default="round_robin",
        description="round_robin: in turn; least_request: the least busy of some drawn with replacement; random: by "
        "lot; ring_hash: always the same one for a key.",
    )
    choice_count: Annotated[Count, Field(ge=2, le=100)] = Field(
        default=2, description="How many replicas `least_request` draws."
    )
    minimum_ring_size: Annotated[Count, Field(le=8_388_608)] = Field(
        default=1024, description="Points on the ring of `ring_hash`, which the replicas share equally."
    )
    hash_balance_factor: Annotated[Count, Field(ge=100)] | None = Field(
        default=None,
        description="With `ring_hash`: beyond this percentage of the mean number of requests under way at a replica, "
        "its keys go elsewhere. None: never.",
    )
    max_connections: Count = Field(
        default=1024,
        description="Connections to all replicas together, idle ones included; beyond it requests wait for one of "
        "their replica to be free. A replica without any gets one all the same.",
    )
    max_pending_requests: Count = Field(
        default=1024, description="Requests that may wait for a connection; beyond it: 503 at once."
    )
    max_requests: Count = Field(
        default=1024, description="Requests under way at all replicas together; beyond it: 503 at once."
    )
    outlier_detection: OutlierDetection | None = Field(
        default=None, description="How replicas that fail are taken out. None: they are not."
    )
    healthy_panic_threshold: Ratio = Field(
        default="50%",
        validate_default=True,
        description="Below this share of replicas that are not ejected all are asked again, as if none were. 0%: only "
        "those that are left, and 503 when none is. Above 71% it acts as 71% does.",
    )
    timeout: PositiveDuration | None = Field(
        default="15s",
        validate_default=True,
        description="Longest time from a request's arrival to its answer; then 504. None: for ever.",
    )
    forward_time: Distribution = Field(
        default=_NO_TIME, description="Time to pass a request on and its answer back, network included."
    )
