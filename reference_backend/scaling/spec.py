"""What scales a service, as a deployment says it. Times are in seconds."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from reference_backend.spec import Seconds, Spec

_Replicas = Annotated[int, Field(ge=0, le=64)]
_SomeSeconds = Annotated[float, Field(ge=0, le=86_400)]
Metric = Literal["concurrency", "cpu", "throughput"]


class ScalingPolicy(Spec):
    """One limit on how quickly the number of replicas changes: so many pods, or percent of them, within a period."""

    kind: Literal["pods", "percent"]
    value: Annotated[int, Field(ge=1)]
    period_s: Seconds


class ScalingRules(Spec):
    """How quickly replicas may be added, or removed."""

    stabilization_window_s: _SomeSeconds = 0.0
    policies: Annotated[tuple[ScalingPolicy, ...], Field(min_length=1)]
    select: Literal["max", "min", "disabled"] = "max"


class MetricTarget(Spec):
    """A figure of the replicas and what its mean over them should be.

    concurrency: requests under way per slot, as HAProxy counts them; cpu: the process's CPU time per time;
    throughput: answers per second, as HAProxy counts them.
    """

    metric: Metric
    target: Annotated[float, Field(gt=0)]


class _Scaled(Spec):
    min: _Replicas
    max: Annotated[int, Field(ge=1, le=64)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) must not be more than max ({self.max})")
        return self


class Hpa(_Scaled):
    """Kubernetes' HorizontalPodAutoscaler v2, as a process that looks at HAProxy and at the processes' CPU times.

    Every ``sync_period_s`` it decides by the mean of each metric over the ``metric_window_s`` that ended
    ``metric_lag_s`` ago. Rules are given for both directions or for none.
    """

    kind: Literal["hpa"]
    metrics: Annotated[tuple[MetricTarget, ...], Field(min_length=1, max_length=3)]
    sync_period_s: Seconds = 15.0
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.1
    metric_window_s: Seconds = 15.0
    metric_lag_s: _SomeSeconds = 15.0
    cpu_initialization_period_s: _SomeSeconds = 300.0
    scale_up: ScalingRules | None = None
    scale_down: ScalingRules | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.scale_up is None) != (self.scale_down is None):
            raise ValueError("scale_up and scale_down are given both or not at all")
        return self


class Serverless(_Scaled):
    """A platform for functions: a process in front that starts a replica for a request that finds none with room.

    A replica that has been idle for ``idle_timeout_s`` is ended, unless that leaves fewer than ``min``. A request that
    would need more than ``max`` replicas, or a start that the ramp (``scaling_burst`` at once, coming back at
    ``scaling_rate_per_s``) does not allow, is refused (429).
    """

    kind: Literal["serverless"]
    idle_timeout_s: Seconds
    scaling_burst: Annotated[int, Field(ge=1)] = 1000
    scaling_rate_per_s: Annotated[float, Field(gt=0)] = 100.0


Autoscaler = Annotated[Hpa | Serverless, Field(discriminator="kind")]
