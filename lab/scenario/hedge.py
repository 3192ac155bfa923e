"""Hedged requests: a second copy while the first is still out."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lab.quantities import Count, Duration, Ratio, Spec
from lab.scenario.retry_budget import SCOPE, Budget, Scope


class HedgeThrottle(Spec):
    """Sends no second copies while the backend fails: gRPC's throttle.

    A purse that is full at the start. Each copy that fails takes a token out, each good answer puts ``ratio`` of one
    in; copies beyond the first are sent only while it is more than half full. A cancelled copy counts as neither.

    It heeds failures alone: against a backend that is only slow, because it has too much to do, it helps nothing.

    Source: gRPC proposal A6, retryThrottling (maxTokens, tokenRatio).
    """

    tokens: Annotated[Count, Field(le=1000)] = Field(default=10, description="Tokens of a full purse.")
    ratio: Ratio = Field(default="10%", validate_default=True, description="What a good answer puts in.")
    scope: Scope = Field(default="shared", description=SCOPE)


class Hedge(Spec):
    """A further copy of a request that has no answer yet; the first good answer counts.

    Each copy is sent ``after`` the one before it, or at once when one fails (as gRPC does after a status that is not
    fatal). When one is answered the others are cancelled: what they left behind is done to its end, as after a timeout,
    except by parts that heed a client's leaving. A copy that cannot be paid for is not sent, nor is one later, unless a
    copy under way fails. A client's timeout is that of each copy, and its copies are attempts in all figures; the
    timeout of a call is that of all its copies.

    Source: J. Dean and L. A. Barroso, "The Tail at Scale", CACM 56(2), 2013; gRPC proposal A6, hedgingPolicy.
    """

    after: Duration = Field(
        description="How long a copy is waited for before the next is sent: about the time that 95 % take."
    )
    attempts: Annotated[Count, Field(ge=2, le=5)] = Field(default=2, description="Copies in all, the first included.")
    budget: Budget = Field(
        default=None,
        description="What bounds the further copies of many requests together, as Finagle's maximum extra load; none: "
        "nothing does.",
    )
    throttle: HedgeThrottle | None = Field(
        default=None, description="What keeps further copies from a backend that fails; none: nothing does."
    )
