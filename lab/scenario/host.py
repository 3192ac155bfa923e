"""A host as it is described: cores that processes share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lab.quantities import Count, PositiveDuration, Spec


class Host(Spec):
    """A machine whose cores are shared by the processes of the services that run on it."""

    kind: Literal["host"] = "host"
    cores: Count = Field(description="How many processes compute at once.", le=1_000)
    quantum: PositiveDuration = Field(
        default="3ms",
        validate_default=True,
        description="Longest turn on a core while others are ready (Linux: base_slice_ns).",
    )
