"""A cache as it is described."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lab.distributions import Constant, Distribution
from lab.quantities import Bytes, Count, PositiveDuration, Spec

_HALF_A_MILLISECOND = Constant(mean="500us")  # type: ignore[arg-type]  # text in, seconds inside


class Cache(Spec):
    """A shared cache (Valkey) that forgets the least recently used, and what is older than its time to live."""

    kind: Literal["cache"] = "cache"
    capacity: Count | None = Field(default=None, description="Entries that fit. None: all do.")
    eviction: Literal["lru"] = Field(default="lru", description="Which entry goes when it is full.")
    ttl: PositiveDuration | None = Field(default=None, description="How long an entry lives. None: for ever.")
    entry_size: Bytes = Field(
        default="256B",
        validate_default=True,
        description="Size of a value, for the real cache.",
    )
    access_time: Distribution = Field(
        default=_HALF_A_MILLISECOND, description="Time of one read or write, network included."
    )
