"""A content delivery network as it is described: one tier of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lab.distributions import Constant, Distribution
from lab.quantities import Bytes, Count, Duration, PositiveDuration, Ratio, Spec
from lab.scenario.cache import SAMPLES, Eviction
from lab.scenario.names import Name
from lab.scenario.sizes import Sizes

_NO_TIME = Constant(mean="0s")  # type: ignore[arg-type]  # text in, seconds inside


class Cdn(Spec):
    """A tier of a content delivery network: points of presence that keep answers of the origin behind them.

    Another ``cdn`` as its target is the next tier (edge, regional, shield): an answer is stored by every tier on its
    way back. Freshness follows RFC 9111: the age of an answer counts from when the origin gave it, so a tier may keep
    it only for as long as is left. Nobody but a purge (a ``flush`` fault) takes an answer out before it is too old.
    """

    kind: Literal["cdn"] = "cdn"
    targets: str = Field(
        description="Name of what stands behind it: another cdn, a load balancer, or a service of one replica."
    )
    max_age: dict[Name, PositiveDuration] = Field(
        min_length=1,
        description="How old an answer of each endpoint may be (s-maxage). Endpoints that are not named pass through.",
    )
    age_resolution: Duration = Field(
        default="0s",
        validate_default=True,
        description="Step of the clock that ages are read off: what came at any time in a step counts as come at its "
        "beginning, so an answer lives for half a step less on average (1s in HAProxy and nginx). 0s: exact.",
    )
    points_of_presence: Annotated[Count, Field(le=1000)] = Field(
        default=1,
        description="Places with contents of their own. Clients are spread evenly over them, each always at the same "
        "place; of a next tier with fewer of them, each serves its own share of these.",
    )
    capacity: Count | None = Field(default=None, description="Answers that fit into each place. None: all do.")
    capacity_bytes: Bytes | None = Field(
        default=None, description="Bytes of answers that fit into each place; instead of capacity. None: all do."
    )
    eviction: Eviction = Field(default="lru", description="Which answer goes when a place is full, as of a cache.")
    samples: Count = Field(default=SAMPLES, le=64, description="Answers that a sampled eviction looks at.")
    protected_share: Ratio = Field(
        default="80%",
        validate_default=True,
        description="With eviction slru: the share of the room for answers that were asked for again.",
    )
    entry_size: Bytes = Field(
        default="256B", validate_default=True, description="Size of an answer, for capacity_bytes."
    )
    entry_sizes: Sizes | None = Field(
        default=None, description="Size of an answer, drawn for each key and endpoint, instead of entry_size."
    )
    request_collapsing: bool = Field(
        default=True,
        description="Whether requests for an answer that is being fetched wait for it instead of fetching it too.",
    )
    collapse_timeout: PositiveDuration = Field(
        default="5s",
        validate_default=True,
        description="Longest wait for somebody else's fetch; then a request fetches for itself, and what it gets is "
        "not stored (proxy_cache_lock_timeout).",
    )
    stale_while_revalidate: Duration = Field(
        default="0s",
        validate_default=True,
        description="How long beyond max_age an answer is still served, while it is fetched anew in the background.",
    )
    stale_if_error: Duration = Field(
        default="0s",
        validate_default=True,
        description="How long beyond max_age an answer is served when fetching it anew fails.",
    )
    hit_time: Distribution = Field(
        default=_NO_TIME, description="Time that each request takes here, served or passed on; network included."
    )
    forward_time: Distribution = Field(
        default=_NO_TIME,
        description="Time to pass a request on and its answer back, network included; on top of hit_time.",
    )

    @property
    def bounded(self) -> bool:
        """Whether a place can be full."""
        return self.capacity is not None or self.capacity_bytes is not None

    @property
    def stale_for_s(self) -> float:
        """How long beyond max_age an answer may be of use."""
        return max(self.stale_while_revalidate, self.stale_if_error)
