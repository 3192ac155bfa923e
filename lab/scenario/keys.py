"""How popular each key is: which item a request is about."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Discriminator, Field, model_validator

from lab.quantities import Count, CountOrZero, Duration, Number, PositiveDuration, Ratio, Spec

_MOST_KEYS = 10_000_000  # the scenario language counts no further


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


def _check_order(at_s: float, until_s: float | None) -> None:
    if until_s is not None and until_s <= at_s:
        raise ValueError(f"until ({until_s:g} s) must be later than at ({at_s:g} s)")


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
        _check_order(self.at, self.until)
        return self

    @property
    def count(self) -> int:
        """How many keys there are."""
        return self.base.count

    def is_hot(self, time_s: float) -> bool:
        """Return whether the key is hot for requests that were meant to start then."""
        return self.at <= time_s and (self.until is None or time_s < self.until)


class HotCell(Spec):
    """A cell that draws a share of all requests for a while: the stadium when the match is over."""

    cell: CountOrZero = Field(description="The number of the cell, from 0.")
    share: Ratio = Field(description="The share of requests that are about it meanwhile.")
    at: Duration = Field(
        default="0s",
        validate_default=True,
        description="When it becomes hot, by the time at which a request was meant to start.",
    )
    until: PositiveDuration | None = Field(default=None, description="When it is hot no more; none: never.")

    @model_validator(mode="after")
    def _in_order(self) -> HotCell:
        _check_order(self.at, self.until)
        return self

    def is_hot(self, time_s: float) -> bool:
        """Return whether the cell is hot for requests that were meant to start then."""
        return self.at <= time_s and (self.until is None or time_s < self.until)


class CellKeys(Spec):
    """Keys that belong together in cells: drivers of a quarter, rows of an account. Cell c has the keys from c x n on.

    A cell is drawn first, then one of its keys, each as likely as the other. A request about a hot cell keeps the key
    within its cell that it would have had.
    """

    kind: Literal["cells"] = "cells"
    cells: Count = Field(description="How many cells there are.")
    keys_per_cell: Count = Field(default=1, description="How many keys n each of them has.")
    exponent: Annotated[Number, Field(ge=0, le=5)] = Field(
        default=0.0, description="How unevenly cells are asked for: the k-th with weight k^-exponent; 0: all the same."
    )
    hot: tuple[HotCell, ...] = Field(default=(), description="Cells that are hot for a while, one at a time.")

    @model_validator(mode="after")
    def _possible(self) -> CellKeys:
        if self.count > _MOST_KEYS:
            raise ValueError(f"cells x keys_per_cell is {self.count}, more than {_MOST_KEYS} keys; take fewer")
        for hot in self.hot:
            if hot.cell >= self.cells:
                raise ValueError(f"hot cell {hot.cell} does not exist: there are {self.cells} cells, numbered from 0")
        for one, other in pairwise(sorted(self.hot, key=lambda hot: hot.at)):
            if one.until is None or other.at < one.until:
                raise ValueError(
                    f"cells {one.cell} and {other.cell} are hot at the same time; let one follow the other"
                )
        return self

    @property
    def count(self) -> int:
        """How many keys there are."""
        return self.cells * self.keys_per_cell

    def hot_at(self, time_s: float) -> HotCell | None:
        """Return the cell that is hot for requests that were meant to start then."""
        return next((hot for hot in self.hot if hot.is_hot(time_s)), None)


Keys = Annotated[UniformKeys | ZipfKeys | HotKey | CellKeys, Discriminator("kind")]
