"""A cache as it is described."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lab.distributions import Constant, Distribution
from lab.quantities import Bytes, Count, PositiveDuration, Ratio, Spec
from lab.scenario.sizes import Sizes
from lab.scenario.stampede import NoProtection, StampedeProtection

Eviction = Literal["lru", "lfu", "fifo", "random", "slru", "sampled_lru", "sampled_lfu", "noeviction"]

_HALF_A_MILLISECOND = Constant(mean="500us")  # type: ignore[arg-type]  # text in, seconds inside
_NO_TIME = Constant(mean="0s")  # type: ignore[arg-type]  # text in, seconds inside
SAMPLES = 5


class Warm(Spec):
    """Entries that are there at the start: those of the most popular keys, of all ages."""

    kind: Literal["most_popular"] = "most_popular"
    entries: Count = Field(description="How many, as far as they fit.")


class Cache(Spec):
    """A cache that callers share (Valkey), or that each calling process has for itself."""

    kind: Literal["cache"] = "cache"
    scope: Literal["shared", "replica"] = Field(
        default="shared",
        description="shared: one for all callers. replica: one in each calling process, gone with it.",
    )
    nodes: Annotated[Count, Field(le=1000)] = Field(
        default=1, description="Nodes that share the keys of a shared cache; the capacity is each one's."
    )
    hash_type: Literal["ketama", "modulo"] = Field(
        default="ketama",
        description="How callers find the node of a key: ketama: points on a ring, so that only the keys of a lost "
        "node move; modulo: remainder by the number of nodes in use, so that nearly all keys move when it changes.",
    )
    auto_eject: bool = Field(
        default=False,
        description="Whether callers leave a node that has crashed out until it is back, so that its keys belong to "
        "others; else whatever it kept is missed meanwhile.",
    )
    capacity: Count | None = Field(default=None, description="Entries that fit. None: all do.")
    capacity_bytes: Bytes | None = Field(
        default=None, description="Bytes of values that fit; instead of capacity. None: all do."
    )
    eviction: Eviction = Field(
        default="lru",
        description="Which entry goes when it is full: the one least recently (lru) or least often (lfu, counting for "
        "ever) used, the oldest (fifo), any (random), the least recently used of those that were not used again (slru, "
        "two segments), the best of a few at random as Valkey does it (sampled_lru, sampled_lfu); or none, and new "
        "ones are refused (noeviction).",
    )
    samples: Count = Field(
        default=SAMPLES, le=64, description="Entries that a sampled eviction looks at (maxmemory-samples)."
    )
    protected_share: Ratio = Field(
        default="80%",
        validate_default=True,
        description="With eviction slru: the share of the room for entries that were used again.",
    )
    ttl: PositiveDuration | None = Field(default=None, description="How long an entry lives. None: for ever.")
    ttl_from: Literal["write", "access"] = Field(
        default="write",
        description="What a life counts from: write: when it was stored; access: when it was last used, too, so that "
        "what is asked for often enough never expires (sliding).",
    )
    ttl_jitter: Ratio = Field(
        default=0.0, description="Each entry lives ttl x (1 - jitter) to ttl x (1 + jitter), evenly spread."
    )
    entry_size: Bytes = Field(
        default="256B",
        validate_default=True,
        description="Size of a value, for capacity_bytes and for the real cache.",
    )
    entry_sizes: Sizes | None = Field(
        default=None, description="Size of a value, drawn for each key, instead of entry_size."
    )
    warm: Warm | None = Field(default=None, description="What is in it at the start. None: nothing, it is cold.")
    stampede_protection: StampedeProtection = Field(
        default=NoProtection(), description="Who does the work when many miss the same entry at once."
    )
    access_time: Distribution | None = Field(
        default=None,
        description="Time of one read or write, network included. None: 500us, or no time in a process of its own.",
    )

    @property
    def time_of_access(self) -> Distribution:
        """The time of one read or write."""
        if self.access_time is not None:
            return self.access_time
        return _HALF_A_MILLISECOND if self.scope == "shared" else _NO_TIME

    @property
    def bounded(self) -> bool:
        """Whether it can be full."""
        return self.capacity is not None or self.capacity_bytes is not None
