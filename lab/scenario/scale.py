"""A slice: which share of the whole runs, and of what."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from lab.quantities import Ratio, Spec


def _above_zero(share: float) -> float:
    if share == 0:
        raise ValueError("0% of it is nothing; give a share above 0%")
    return share


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; say why the slice behaves like the whole: what is independent of what")
    return text


class Scale(Spec):
    """What runs is a slice: the values of the file are those of the whole, and the lab multiplies some of them."""

    slice: Annotated[Ratio, AfterValidator(_above_zero)] = Field(description="The share of the whole that runs.")
    of: tuple[str, ...] = Field(
        min_length=1,
        description="Key paths of what is multiplied by it: rates (of a curve all of them), counts, populations, "
        "capacities. Whole numbers are rounded, by 5 % at most. All else stays: times, shares, what each request does.",
    )
    because: Annotated[str, AfterValidator(_said)] = Field(description="Why the slice behaves like the whole.")
    applied: bool = Field(
        default=False,
        description="Whether the values are those of the slice already. The lab says so in what it ran; never write it "
        "beside values of the whole.",
    )

    @model_validator(mode="after")
    def _once_each(self) -> Scale:
        for place, path in enumerate(self.of):
            others = [other for number, other in enumerate(self.of) if number != place]
            above = next((other for other in others if path == other or path.startswith(f"{other}.")), None)
            if above is not None:
                raise ValueError(f"of: {path} would be multiplied twice, as {above} is there too; take one of them out")
        return self
