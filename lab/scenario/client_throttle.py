"""Client-side throttling: what is likely to be rejected is rejected locally."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lab.quantities import Number, PositiveDuration, Spec
from lab.scenario.retry_budget import SCOPE, Scope


class Throttle(Spec):
    """Rejects locally with a probability of max(0, (requests - K x accepts) / (requests + 1)).

    Requests are what the client wanted to send within the window before, what it rejected itself included; accepts are
    those of its attempts that were answered ok within it. So the backend sees about K times what it accepts, however
    much more there is. A request of which nothing was sent is rejected; one whose retry is held back ends as its last
    attempt did. The window slides exactly; implementations count in buckets of seconds. The book counts an error that
    is no rejection as accepted, which here, as in Envoy's admission control, it is not.

    Source: A. Cruz and others in Beyer and others (eds.), Site Reliability Engineering, O'Reilly 2016, chapter 21,
    "Client-Side Throttling".
    """

    multiplier: Annotated[Number, Field(ge=1, le=100)] = Field(
        default=2.0, description="K: how much of what the backend accepts is sent to it; less is stricter."
    )
    window: PositiveDuration = Field(
        default="2min", validate_default=True, description="How far back requests and accepts are counted."
    )
    scope: Scope = Field(default="shared", description=SCOPE)
