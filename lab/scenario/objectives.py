"""What the service promises, each an upper or a lower bound on one figure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, model_validator

from lab.quantities import Duration, Number, PositiveDuration, Rate, Ratio, Spec


def _inner(quantile: float) -> float:
    if not 0 < quantile < 1:
        raise ValueError("a quantile lies between 0% and 100%, these two left out; write say 99%")
    return quantile


class _Bounds(Spec):
    @model_validator(mode="after")
    def _one_bound(self) -> _Bounds:
        if (getattr(self, "at_most", None) is None) == (getattr(self, "at_least", None) is None):
            raise ValueError("an objective needs exactly one bound: at_most or at_least")
        return self


class SojournTimeObjective(_Bounds):
    """The time from the intended start to the answer, of the good answers."""

    metric: Literal["sojourn_time"]
    quantile: Annotated[Ratio, AfterValidator(_inner)] | None = Field(
        default=None, description="Which quantile, such as 99%. None: the mean."
    )
    endpoint: str | None = Field(default=None, description="Of one endpoint. None: of all.")
    at_most: Duration | None = Field(default=None, description="Longest time allowed.")
    at_least: Duration | None = Field(default=None, description="Shortest time wanted (rarely useful).")


class RatioObjective(_Bounds):
    """The share of requests that failed, of look-ups that hit, or of parallel steps that got their full answer."""

    metric: Literal["error_ratio", "timeout_ratio", "rejected_ratio", "hit_ratio", "full_answer_ratio"]
    endpoint: str | None = Field(default=None, description="Of one endpoint. None: of all.")
    component: str | None = Field(
        default=None, description="The cache of a hit_ratio, the service of a full_answer_ratio."
    )
    at_most: Ratio | None = Field(default=None, description="Largest share allowed.")
    at_least: Ratio | None = Field(default=None, description="Smallest share wanted.")

    @model_validator(mode="after")
    def _cache_named(self) -> RatioObjective:
        of_component = self.metric in ("hit_ratio", "full_answer_ratio")
        if of_component != (self.component is not None):
            raise ValueError(
                "component names the cache of a hit_ratio or the service of a full_answer_ratio, and only of these"
            )
        if of_component and self.endpoint is not None:
            raise ValueError(f"a {self.metric} is that of a component; leave endpoint out")
        return self


class RateObjective(_Bounds):
    """Answers per second: all of them, or the good ones."""

    metric: Literal["throughput", "goodput"]
    endpoint: str | None = Field(default=None, description="Of one endpoint. None: of all.")
    at_most: Rate | None = Field(default=None, description="Largest rate allowed.")
    at_least: Rate | None = Field(default=None, description="Smallest rate wanted.")


class RecoveryTimeObjective(Spec):
    """The time until the service is good again and stays so."""

    metric: Literal["recovery_time"]
    after: Duration = Field(description="Since when it is timed: the begin of the trouble, or its end.")
    window: PositiveDuration = Field(
        default="5s", validate_default=True, description="From `after` on, stretches of this length are judged."
    )
    good_ratio: Ratio = Field(
        default="95%", validate_default=True, description="Share of a stretch's requests that must be answered ok."
    )
    within: PositiveDuration | None = Field(
        default=None, description="An answer counts only within this time. None: however long it took."
    )
    endpoint: str | None = Field(default=None, description="Of one endpoint. None: of all.")
    at_most: Duration = Field(description="Longest time allowed; the begin of the first good stretch for good counts.")


class ReplicaSecondsObjective(Spec):
    """What the fleet of a service costs: its processes times their lives, booting and draining included."""

    metric: Literal["replica_seconds"]
    component: str = Field(description="Name of the service.")
    at_most: Duration = Field(description="Most replica seconds allowed.")


class CostObjective(Spec):
    """What the backend costs, by the scenario's prices, at the rate of the run."""

    metric: Literal["cost_per_hour", "cost_per_million_answers"]
    component: str | None = Field(default=None, description="Of one component, per hour only. None: of all.")
    at_most: Annotated[Number, Field(ge=0)] = Field(description="Most that it may cost, in the prices' currency.")

    @model_validator(mode="after")
    def _of_all(self) -> CostObjective:
        if self.metric == "cost_per_million_answers" and self.component is not None:
            raise ValueError("answers come from all components together; leave component out, or take cost_per_hour")
        return self


Objective = Annotated[
    SojournTimeObjective
    | RatioObjective
    | RateObjective
    | RecoveryTimeObjective
    | ReplicaSecondsObjective
    | CostObjective,
    Discriminator("metric"),
]
