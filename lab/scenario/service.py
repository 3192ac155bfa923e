"""A service as it is described: replicas of an application process."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lab.distributions import Constant, Distribution
from lab.quantities import Count, CountOrZero, Spec
from lab.scenario.names import Name
from lab.scenario.steps import StepSpec

_NO_TIME = Constant(mean="0s")  # type: ignore[arg-type]  # text in, seconds inside


class Service(Spec):
    """Replicas of an application process with an event loop (uvicorn)."""

    kind: Literal["service"] = "service"
    replicas: Count = Field(default=1, description="How many processes.", le=10_000)
    concurrency: Count | None = Field(
        default=None, description="Requests that a replica works on at once. None: no limit."
    )
    backlog: CountOrZero | None = Field(
        default=None, description="Requests that may wait in a replica; beyond it: 503. None: no limit."
    )
    overhead: Distribution = Field(
        default=_NO_TIME, description="CPU time of the framework for each request, on the event loop."
    )
    endpoints: dict[Name, Annotated[tuple[StepSpec, ...], Field(min_length=1)]] = Field(
        min_length=1, description="Endpoint name to its steps."
    )
