"""An autoscaler as it is described: what it looks at, how often, and how quickly it may react.

Defaults are those of the real ones: Kubernetes' HorizontalPodAutoscaler v2, KEDA, and AWS target tracking. The others
have files of their own.
"""

from __future__ import annotations

from typing import Annotated, Literal, assert_never

from pydantic import Discriminator, Field

from lab.quantities import Count, CountOrZero, Duration, Number, PositiveDuration, Ratio, Spec
from lab.scenario.knative import KnativeAutoscaler
from lab.scenario.scaling_limits import Limits, ScheduledAutoscaler
from lab.scenario.scaling_metric import Metric, MetricTarget
from lab.scenario.serverless import ServerlessAutoscaler
from lab.scenario.step_scaling import StepScalingAutoscaler

SelectPolicy = Literal["max", "min", "disabled"]


class ScalingPolicy(Spec):
    """One limit on how quickly the number of replicas changes."""

    kind: Literal["pods", "percent"] = Field(description="pods: a number of replicas; percent: of those there were.")
    value: Count = Field(description="How many replicas, or how many percent of them.")
    period: PositiveDuration = Field(description="Within which time.")


class ScalingRules(Spec):
    """How quickly replicas may be added, or removed."""

    stabilization_window: Duration = Field(
        default="0s",
        validate_default=True,
        description="Take the most cautious of what was recommended in this time.",
    )
    policies: tuple[ScalingPolicy, ...] = Field(min_length=1, description="Limits on the rate of change.")
    select: SelectPolicy = Field(
        default="max", description="max: the policy that changes most counts; min: least; disabled: never change."
    )


def _policy(kind: Literal["pods", "percent"], value: int) -> ScalingPolicy:
    return ScalingPolicy(kind=kind, value=value, period="15s")  # type: ignore[arg-type]  # text in, seconds inside


STANDARD_UP = ScalingRules(policies=(_policy("percent", 100), _policy("pods", 4)))
STANDARD_DOWN = ScalingRules(
    stabilization_window="5min",  # type: ignore[arg-type]  # text in, seconds inside
    policies=(_policy("percent", 100),),
)


class _Behaviour(Limits):
    """Kubernetes' limits on changes."""

    sync_period: PositiveDuration = Field(
        default="15s", validate_default=True, description="How often it looks and decides."
    )
    tolerance: Ratio = Field(
        default="10%", validate_default=True, description="No change while the metric is this near to its target."
    )
    scale_up: ScalingRules | None = Field(
        default=None,
        description="How quickly replicas are added. None, if scale_down is given: 100% or 4 pods every 15s. None for "
        "both: at most twice as many as now, or 4.",
    )
    scale_down: ScalingRules | None = Field(
        default=None,
        description="How quickly replicas are removed. None: 100% every 15s, but not below what was recommended in the "
        "last 5min.",
    )

    def rules(self) -> tuple[ScalingRules | None, ScalingRules | None]:
        """Return the rules up and down; what is not given beside the other is standard."""
        if self.scale_up is None and self.scale_down is None:
            return None, None
        return self.scale_up or STANDARD_UP, self.scale_down or STANDARD_DOWN


class HpaAutoscaler(_Behaviour, MetricTarget):
    """Kubernetes' HorizontalPodAutoscaler v2."""

    kind: Literal["hpa"] = "hpa"
    more_metrics: tuple[MetricTarget, ...] = Field(
        default=(), description="Further metrics; the one that wants most replicas counts."
    )
    metric_window: PositiveDuration = Field(
        default="15s", validate_default=True, description="The time over which the metric is a mean."
    )
    metric_lag: Duration = Field(
        default="15s", validate_default=True, description="How old the newest reading is when it is looked at."
    )
    cpu_initialization_period: Duration = Field(
        default="5min",
        validate_default=True,
        description="While a process is younger, its CPU counts only once it has been ready for a whole metric_window.",
    )

    @property
    def metrics(self) -> tuple[MetricTarget, ...]:
        """All the metrics."""
        return (MetricTarget(metric=self.metric, target=self.target), *self.more_metrics)


class KedaAutoscaler(_Behaviour):
    """KEDA: by how much waits; between 0 and 1 replicas by itself, above that through Kubernetes' autoscaler."""

    kind: Literal["keda"] = "keda"
    queue: str = Field(
        description="What feeds the service: a queue (unacknowledged messages count as well), a stream (records whose "
        "work has not ended), or a load balancer."
    )
    target: Annotated[Number, Field(gt=0)] = Field(default=5, description="How much each replica may have of it.")
    activation: Annotated[Number, Field(ge=0)] = Field(
        default=0, description="From 0 replicas it starts one when more than this waits."
    )
    min: CountOrZero = Field(default=0, description="Fewest replicas; 0: none while nothing waits.")
    max: Count = Field(default=100, description="Most replicas.", le=10_000)
    polling_interval: PositiveDuration = Field(
        default="30s", validate_default=True, description="How often it looks whether there is any work."
    )
    cooldown_period: Duration = Field(
        default="5min", validate_default=True, description="From 1 to 0 replicas after so long without work."
    )


class TargetTrackingAutoscaler(Limits, MetricTarget):
    """AWS target tracking: quick to add, slow to remove."""

    kind: Literal["target_tracking"] = "target_tracking"
    period: PositiveDuration = Field(
        default="1min", validate_default=True, description="The metric is a mean over each period; then it decides."
    )
    high_periods: Count = Field(default=3, description="Periods in a row above the target before replicas are added.")
    low_periods: Count = Field(default=15, description="Periods in a row below the target before some are removed.")
    low_margin: Ratio = Field(
        default="10%", validate_default=True, description="How far below the target a period must be to count as low."
    )
    warm_up: Duration = Field(
        default="0s",
        validate_default=True,
        description="A new process counts in the metric only after so long; nothing is removed meanwhile.",
    )
    scale_out_cooldown: Duration = Field(
        default="5min", validate_default=True, description="After adding, only a larger addition within this time."
    )
    scale_in_cooldown: Duration = Field(
        default="5min", validate_default=True, description="After removing, no other removal within this time."
    )
    scale_in: bool = Field(default=True, description="Whether replicas are removed at all.")


Autoscaler = Annotated[
    HpaAutoscaler
    | KedaAutoscaler
    | TargetTrackingAutoscaler
    | StepScalingAutoscaler
    | ScheduledAutoscaler
    | ServerlessAutoscaler
    | KnativeAutoscaler,
    Discriminator("kind"),
]


def metrics_of(autoscaler: Autoscaler) -> tuple[Metric, ...]:
    """Return the metrics of the replicas that an autoscaler looks at."""
    match autoscaler:
        case HpaAutoscaler():
            return tuple(each.metric for each in autoscaler.metrics)
        case TargetTrackingAutoscaler() | StepScalingAutoscaler():
            return (autoscaler.metric,)
        case KedaAutoscaler() | ScheduledAutoscaler() | ServerlessAutoscaler() | KnativeAutoscaler():
            return ()
        case _:
            assert_never(autoscaler)
