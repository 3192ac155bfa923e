"""What the parts of a backend cost, as of a date."""

from __future__ import annotations

import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from lab.quantities import Number, Spec
from lab.scenario.names import Name

Amount = Annotated[Number, Field(ge=0)]


def _is_a_day(text: str) -> str:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a day; write it as year-month-day, such as '2026-11-20'") from None
    return text


class Price(Spec):
    """What one component costs; several of these add up."""

    per_hour: Amount | None = Field(default=None, description="For each hour that it is there, however busy.")
    per_replica_hour: Amount | None = Field(
        default=None,
        description="Of a service: for each hour of each of its processes, those that boot or drain included.",
    )
    per_gb_second: Amount | None = Field(
        default=None, description="Of a serverless service: for each GB-second of its invocations."
    )
    per_million_requests: Amount | None = Field(
        default=None,
        description="For a million requests that reach it, whatever it answers: each attempt, statement, look-up or "
        "message counts.",
    )
    per_gib: Amount | None = Field(
        default=None,
        description="Of the entry: for each GiB of answers that it sends to clients, as `payloads` has them.",
    )

    @model_validator(mode="after")
    def _says_something(self) -> Price:
        if all(getattr(self, key) is None for key in type(self).model_fields):
            raise ValueError(f"has no price; give one or more of {', '.join(type(self).model_fields)}")
        return self


class Prices(Spec):
    """A price list: what is not on it costs nothing."""

    date: Annotated[str, AfterValidator(_is_a_day)] = Field(
        description="The day of these prices, in quotes: `'2026-11-20'`. They change."
    )
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = Field(description="Three letters, such as USD or EUR.")
    source: str = Field(default="", description="Whose prices they are. Without a source they are assumptions.")
    of: dict[Name, Price] = Field(min_length=1, description="Component to its price.")
