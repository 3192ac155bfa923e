"""How a cache keeps many callers from recomputing the same entry at once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field

from lab.quantities import Number, PositiveDuration, Spec


class NoProtection(Spec):
    """Every miss does the work."""

    kind: Literal["none"] = "none"


class SingleFlight(Spec):
    """In each calling process one miss does the work, and the others there wait for its result, or its error."""

    kind: Literal["single_flight"] = "single_flight"


class Lock(Spec):
    """One miss over all callers does the work, under a lock in the cache (SET NX PX); the others look again later."""

    kind: Literal["lock"] = "lock"
    poll: PositiveDuration = Field(
        default="50ms", validate_default=True, description="How long others wait before they look again."
    )
    lock_timeout: PositiveDuration = Field(
        default="5s",
        validate_default=True,
        description="How long the lock holds at most, and others wait before they do the work themselves.",
    )


class EarlyRefresh(Spec):
    """A look-up may recompute before the entry expires, the likelier the nearer (XFetch, exponential).

    Source: Vattani, Chierichetti, Lowenstein (2015), "Optimal probabilistic cache stampede prevention", VLDB 8.
    """

    kind: Literal["early_refresh"] = "early_refresh"
    beta: Annotated[Number, Field(gt=0, le=100)] = Field(default=1.0, description="Above 1 refreshes earlier.")


class StaleWhileRevalidate(Spec):
    """An expired entry is served a while longer, and the first to get it refreshes it in the background."""

    kind: Literal["stale_while_revalidate"] = "stale_while_revalidate"
    stale_for: PositiveDuration = Field(
        default="30s", validate_default=True, description="How long after its time to live an entry may be served."
    )


def _kind_from_text(value: object) -> object:
    return {"kind": value} if isinstance(value, str) else value


StampedeProtection = Annotated[
    Annotated[
        NoProtection | SingleFlight | Lock | EarlyRefresh | StaleWhileRevalidate,
        Discriminator("kind"),
    ],
    BeforeValidator(_kind_from_text),
]
"""Any protection; a bare word such as ``single_flight`` is the one of that kind with its defaults."""
