"""How popular each key is: which item a request is about."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, model_validator

from lab.quantities import Count, CountOrZero, Duration, Number, PositiveDuration, Ratio, Spec


class UniformKeys(Spec):
    """Every key as popular as the other."""

    kind: Literal["uniform"] = "uniform"
    count: Count = Field(description="How many keys there are.")


class ZipfKeys(Spec):
    """A few keys are asked for most: the k-th most popular with weight k^-exponent."""

    kind: Literal["zipf"] = "zipf"
    exponent: Annotated[Number, Field(ge=0, le=5)] = Field(description="0 is uniform; web about 0.8 to 1.")
    count: Count = Field(description="How many keys there are.")


StillKeys = Annotated[ZipfKeys | UniformKeys, Discriminator("kind")]
"""Popularity that stays as it is."""


class HotKey(Spec):
    """One key that draws a share of all requests for a while: the item that has gone viral.

    The other requests keep the keys that they would have had without it.
    """

    kind: Literal["hot_key"] = "hot_key"
    base: StillKeys = Field(description="The popularity of keys before, after, and of the other requests.")
    key: CountOrZero = Field(default=0, description="The number of the hot key; 0 is the first (most popular) one.")
    share: Ratio = Field(description="The share of requests that are about the hot key while it is hot.")
    at: Duration = Field(
        default="0s",
        validate_default=True,
        description="When it becomes hot, by the time at which a request was meant to start.",
    )
    until: PositiveDuration | None = Field(default=None, description="When it is hot no more; none: never.")

    @model_validator(mode="after")
    def _possible(self) -> HotKey:
        if self.key >= self.base.count:
            raise ValueError(f"key is {self.key}, but the base has {self.base.count} keys, numbered from 0")
        if self.until is not None and self.until <= self.at:
            raise ValueError(f"until ({self.until:g} s) must be later than at ({self.at:g} s)")
        return self

    @property
    def count(self) -> int:
        """How many keys there are."""
        return self.base.count

    def is_hot(self, time_s: float) -> bool:
        """Return whether the key is hot for requests that were meant to start then."""
        return self.at <= time_s and (self.until is None or time_s < self.until)


Keys = Annotated[UniformKeys | ZipfKeys | HotKey, Discriminator("kind")]
