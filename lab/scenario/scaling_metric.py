"""What an autoscaler can look at, and what it should be."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from lab.quantities import Spec
from lab.units import parse_rate, parse_ratio

Metric = Literal["concurrency", "cpu", "throughput"]


def metric_value(metric: Metric, text: str) -> float:
    """Return a reading of this metric as a number: a ratio, or per second.

    Raises:
        DomainError: the text is no quantity of the metric's unit.

    >>> metric_value("cpu", "70%"), metric_value("throughput", "90/min")
    (0.7, 1.5)
    """
    return parse_rate(text) if metric == "throughput" else parse_ratio(text)


class MetricTarget(Spec):
    """A figure of the replicas, and what its mean over them should be."""

    metric: Metric = Field(
        description="concurrency: requests under way (waiting in the replica included) per slot; cpu: share of the "
        "time that the event loop computes; throughput: answers per second."
    )
    target: str = Field(description="Its wanted mean per replica: 70% of concurrency or cpu, 50/s of throughput.")

    @model_validator(mode="after")
    def _of_the_metric(self) -> MetricTarget:
        if self.value <= 0:
            raise ValueError(f"target {self.target!r} is not more than 0, so no number of replicas could reach it")
        return self

    @property
    def value(self) -> float:
        """The target as a number: a ratio, or per second."""
        return metric_value(self.metric, self.target)
