"""A bulkhead: a bound on what a process asks of one other component at a time."""

from __future__ import annotations

from pydantic import Field

from lab.quantities import Count, Duration, Spec


class Bulkhead(Spec):
    """How many calls of another component a worker process has under way at most (resilience4j)."""

    max_concurrent: Count = Field(default=25, description="Calls under way at once, of each worker process.")
    max_wait: Duration = Field(
        default="0s",
        validate_default=True,
        description="Longest wait for one of them to end, first come first served; then the call fails (502).",
    )
