"""Nodes under pods as they are described: machines that a cluster autoscaler adds while pods find no room."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from lab.distributions import Constant, Distribution
from lab.quantities import Count, CountOrZero, Duration, PositiveDuration, Spec

_A_MINUTE = Constant(mean="60s")  # type: ignore[arg-type]  # text in, seconds inside


class NodePool(Spec):
    """Equal nodes for the processes (pods) of services, with Kubernetes' cluster autoscaler.

    A process for which no node has room is pending, and boots once it has a node. Nodes here give room; their cores
    are not shared (a `host` does that).
    """

    kind: Literal["node_pool"] = "node_pool"
    pods_per_node: Count = Field(description="Processes that one node has room for.", le=10_000)
    nodes: CountOrZero = Field(default=1, description="How many nodes the run begins with.", le=10_000)
    min: CountOrZero = Field(default=1, description="Fewest nodes.", le=10_000)
    max: Count = Field(description="Most nodes.", le=10_000)
    quota: Count | None = Field(
        default=None, description="Most nodes that the platform gives out (booting ones count). None: no limit."
    )
    boot_time: Distribution = Field(
        default=_A_MINUTE, description="From when a node is asked for to when pods boot on it; 30 s to 90 s are usual."
    )
    scoring: Literal["least_allocated", "most_allocated"] = Field(
        default="least_allocated",
        description="Which of the nodes with room a pod gets: the emptiest (Kubernetes' default), or the fullest.",
    )
    scan_interval: PositiveDuration = Field(
        default="10s", validate_default=True, description="How often the cluster autoscaler looks."
    )
    scale_down_unneeded_time: Duration = Field(
        default="10min", validate_default=True, description="A node that has been empty for so long goes."
    )
    scale_down_delay_after_add: Duration = Field(
        default="10min", validate_default=True, description="After a node was asked for, none goes for so long."
    )

    @model_validator(mode="after")
    def _within(self) -> NodePool:
        if not self.min <= self.nodes <= self.max:
            raise ValueError(f"nodes ({self.nodes}) must lie within min {self.min} to max {self.max}")
        if self.quota is not None and self.quota < self.nodes:
            raise ValueError(f"quota ({self.quota}) is less than the {self.nodes} nodes that the run begins with")
        return self
