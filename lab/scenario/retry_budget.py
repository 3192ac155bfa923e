"""What bounds the attempts beyond the first of many requests together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from lab.quantities import Count, Ratio, Spec

Scope = Literal["shared", "per_client"]

SCOPE = "shared: one for all, as in a service that calls a backend; per_client: one a user or session, as in an app."


class RetryBudget(Spec):
    """A purse of tokens that retries are paid from; ``10%`` alone is short for that ratio.

    Each request puts ``ratio`` of a token in, each retry takes one out, and no more than ``burst`` are ever in it. It
    is full at the start, so that the first failures of a client are retried. A retry that cannot be paid is not made:
    the request ends there. In a total outage attempts grow by the ratio instead of by the number of attempts. Copies of
    hedged requests are paid for in the same way.

    Of the same kind: Finagle's RetryBudget (a ratio of 20 %; deposits expire after 10 s and a reserve of 10/s is added
    over time, where here the burst bounds both) and the client retry ratio of Google's SRE book (10 %). gRPC's
    throttle and AWS' standard mode pay by success instead of by request, which is stricter in an outage.
    """

    ratio: Ratio = Field(description="What a request puts in: retries per request in the long run.")
    burst: Count = Field(default=10, description="The most tokens saved; as many are there at the start.")
    scope: Scope = Field(default="shared", description=SCOPE)


def _budget_from_ratio(value: Any) -> Any:
    return value if value is None or isinstance(value, Mapping | RetryBudget) else {"ratio": value}


Budget = Annotated[RetryBudget | None, BeforeValidator(_budget_from_ratio)]
"""A retry budget, or none; a share alone is short for one of that ratio."""
