"""What a client does when no good answer comes in time."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, model_validator

from lab.distributions import Constant, Distribution
from lab.quantities import Count, Duration, Number, PositiveDuration, Spec

Jitter = Literal["none", "full", "equal"]


class ConstantBackoff(Spec):
    """The same wait before each retry."""

    kind: Literal["constant"] = "constant"
    delay: Duration = Field(description="The wait before a retry.")
    jitter: Jitter = Field(
        default="none", description="none: the delay; full: even in (0, delay); equal: even in (delay/2, delay)."
    )


class ExponentialBackoff(Spec):
    """Waits that double (or grow by ``factor``) up to a cap."""

    kind: Literal["exponential"] = "exponential"
    base: PositiveDuration = Field(description="The wait before the first retry.")
    cap: PositiveDuration = Field(description="The longest wait.")
    factor: Annotated[Number, Field(ge=1, le=10)] = Field(default=2.0, description="Growth from retry to retry.")
    jitter: Jitter = Field(
        default="full", description="none: the delay; full: even in (0, delay); equal: even in (delay/2, delay)."
    )

    @model_validator(mode="after")
    def _ordered(self) -> ExponentialBackoff:
        if self.cap < self.base:
            raise ValueError(f"cap ({self.cap:g} s) must not be less than base ({self.base:g} s)")
        return self


Backoff = Annotated[ConstantBackoff | ExponentialBackoff, Discriminator("kind")]


class Retry(Spec):
    """Trying again after a timeout, a rejection or an error."""

    attempts: Count = Field(description="Attempts in all, the first included.", le=20)
    backoff: Backoff = Field(
        default=ConstantBackoff(delay="0s"),  # type: ignore[arg-type]  # text in, seconds inside
        description="The wait between attempts.",
    )


class Client(Spec):
    """The app on the phone: how long it waits, and whether it tries again."""

    timeout: PositiveDuration | None = Field(
        default=None, description="How long an attempt may take before the client gives it up; none: for ever."
    )
    retry: Retry | None = Field(default=None, description="Trying again; none: one attempt only.")
    round_trip: Distribution = Field(
        default=Constant(mean="0s"),  # type: ignore[arg-type]  # text in, seconds inside
        description="Network and client time of each attempt, there and back, spent before the entry sees it.",
    )

    @property
    def attempts(self) -> int:
        """The most attempts that a request may cost."""
        return self.retry.attempts if self.retry else 1


def backoff_delay_s(backoff: Backoff, *, retry: int, uniform: float) -> float:
    """Return the wait in seconds before retry number ``retry`` (1 is the first).

    Args:
        backoff: how the waits grow, and how chance moves them.
        retry: 1 or more.
        uniform: the addressed draw in (0, 1) that the jitter uses.

    >>> backoff_delay_s(ExponentialBackoff(base="100ms", cap="2s", jitter="none"), retry=3, uniform=0.5)
    0.4
    """
    if isinstance(backoff, ConstantBackoff):
        delay_s = backoff.delay
    else:
        delay_s = min(backoff.cap, backoff.base * backoff.factor ** (retry - 1))
    match backoff.jitter:
        case "none":
            return delay_s
        case "full":
            return delay_s * uniform
        case "equal":
            return delay_s / 2 + delay_s / 2 * uniform
