"""What a client does when no good answer comes in time."""

from __future__ import annotations

from typing import Annotated, Literal, assert_never

from pydantic import Discriminator, Field, field_validator, model_validator

from lab.distributions import Constant, Distribution, mean_s
from lab.quantities import Count, Duration, Number, PositiveDuration, Ratio, Spec
from lab.scenario.client_throttle import Throttle
from lab.scenario.connections import Connections
from lab.scenario.hedge import Hedge
from lab.scenario.network import Network
from lab.scenario.retry_budget import SCOPE, Budget, RetryBudget, Scope

Jitter = Literal["none", "full", "equal"]
Failure = Literal["timeout", "rejected", "error"]


class ConstantBackoff(Spec):
    """The same wait before each retry."""

    kind: Literal["constant"] = "constant"
    delay: Duration = Field(description="The wait before a retry.")
    jitter: Jitter = Field(
        default="none", description="none: the delay; full: even in (0, delay); equal: even in (delay/2, delay)."
    )


def _ordered(backoff: ExponentialBackoff | DecorrelatedBackoff) -> None:
    if backoff.cap < backoff.base:
        raise ValueError(f"cap ({backoff.cap:g} s) must not be less than base ({backoff.base:g} s)")


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
    def _in_order(self) -> ExponentialBackoff:
        _ordered(self)
        return self


class DecorrelatedBackoff(Spec):
    """Each wait even between base and three times the wait before it (at first: three times base), up to a cap.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    kind: Literal["decorrelated"] = "decorrelated"
    base: PositiveDuration = Field(description="The shortest wait.")
    cap: PositiveDuration = Field(description="The longest wait.")

    @model_validator(mode="after")
    def _in_order(self) -> DecorrelatedBackoff:
        _ordered(self)
        return self


Backoff = Annotated[ConstantBackoff | ExponentialBackoff | DecorrelatedBackoff, Discriminator("kind")]


class Retry(Spec):
    """Trying again after a timeout, a rejection or an error."""

    attempts: Count = Field(description="Attempts in all, the first included.", le=100)
    backoff: Backoff = Field(
        default=ConstantBackoff(delay="0s"),  # type: ignore[arg-type]  # text in, seconds inside
        description="The wait between attempts.",
    )
    retry_on: tuple[Failure, ...] = Field(
        default=("timeout", "rejected", "error"), min_length=1, description="After which outcomes to try again."
    )
    budget: Budget | None = Field(
        default=None, description="What bounds the retries of many requests together; none: nothing does."
    )

    @field_validator("retry_on")
    @classmethod
    def _once(cls, retry_on: tuple[Failure, ...]) -> tuple[Failure, ...]:
        if len(set(retry_on)) < len(retry_on):
            raise ValueError(f"{', '.join(retry_on)} names an outcome twice; name each once")
        return retry_on


class CircuitBreaker(Spec):
    """Stops asking a backend that fails, and asks a few times after a while whether it is well again.

    Rules and defaults of resilience4j's CircuitBreaker with a count-based window. A timeout, a rejection and an error
    are failures; resilience4j's slow calls (by default those above 60 s) are not modelled. A request of which nothing
    was sent is rejected; one whose retry is held back ends as its last attempt did.
    """

    window: Count = Field(default=100, description="How many of the last attempts are looked at.")
    minimum: Count = Field(
        default=100, description="Ended attempts below which it stays closed; never more than the window."
    )
    failure_ratio: Ratio = Field(
        default="50%",
        validate_default=True,
        description="The share of failures among them from which on it opens.",
    )
    open_for: Duration = Field(
        default="60s",
        validate_default=True,
        description="How long it lets nothing through before it tries again.",
    )
    half_open: Count = Field(default=10, description="How many attempts it then lets through to decide.")
    scope: Scope = Field(default="shared", description=SCOPE)

    @model_validator(mode="after")
    def _reachable(self) -> CircuitBreaker:
        if self.failure_ratio == 0:
            raise ValueError("failure_ratio is 0%, so it would open without any failure; give more")
        return self


class Client(Spec):
    """The app on the phone: how long it waits, and whether it tries again."""

    timeout: PositiveDuration | None = Field(
        default=None, description="How long an attempt may take before the client gives it up; none: for ever."
    )
    deadline: PositiveDuration | None = Field(
        default=None,
        description="How long a request may take over all attempts: an attempt under way is given up then, and a retry "
        "that would start later is not waited for; none: for ever.",
    )
    retry: Retry | None = Field(default=None, description="Trying again; none: one attempt only.")
    circuit_breaker: CircuitBreaker | None = Field(
        default=None, description="Not asking a backend that fails; none: always asking."
    )
    hedge: Hedge | None = Field(
        default=None, description="Asking again while the first answer is still out; none: one copy at a time."
    )
    throttle: Throttle | None = Field(
        default=None, description="Rejecting locally what the backend would reject; none: sending everything."
    )
    round_trip: Distribution = Field(
        default=Constant(mean="0s"),  # type: ignore[arg-type]  # text in, seconds inside
        description="Network and client time of each attempt, there and back, spent before the entry sees it.",
    )

    network: Network | None = Field(
        default=None,
        description="The network between client and entry, which takes the place of round_trip; none: round_trip alone "
        "is the way, whatever is sent.",
    )
    connections: Connections | None = Field(
        default=None,
        description="How connections over the network are opened and kept; none: each request finds one open.",
    )

    @model_validator(mode="after")
    def _one_way_there(self) -> Client:
        if self.network is not None and mean_s(self.round_trip) > 0:
            raise ValueError(
                "round_trip and network are both set, but the network has a round trip of its own; leave round_trip out"
            )
        return self

    @model_validator(mode="after")
    def _connected_over_something(self) -> Client:
        if self.connections is not None and self.network is None:
            raise ValueError("connections take round trips of a network; add a client.network too, or leave them out")
        return self

    @model_validator(mode="after")
    def _patient(self) -> Client:
        if self.timeout is not None and self.deadline is not None and self.timeout > self.deadline:
            raise ValueError(
                f"timeout ({self.timeout:g} s) has no effect beyond the deadline ({self.deadline:g} s); shorten it or "
                "leave it out"
            )
        return self

    @model_validator(mode="after")
    def _hedges_alone(self) -> Client:
        if self.hedge is None:
            return self
        for key, what in (
            ("retry", self.retry),
            ("circuit_breaker", self.circuit_breaker),
            ("throttle", self.throttle),
        ):
            if what is not None:
                raise ValueError(
                    f"hedge stands beside {key}; the lab models hedging as gRPC does, where a copy that fails is "
                    "followed by the next and nothing else is in force; take one of them out"
                )
        for key, limit_s in (("timeout", self.timeout), ("deadline", self.deadline)):
            if limit_s is not None and self.hedge.after >= limit_s:
                raise ValueError(
                    f"hedge.after ({self.hedge.after:g} s) must be less than the {key} ({limit_s:g} s), or no copy is "
                    "ever sent beside another"
                )
        return self

    @property
    def attempts(self) -> int:
        """The most attempts that a request may cost."""
        if self.hedge is not None:
            return self.hedge.attempts
        return self.retry.attempts if self.retry else 1

    @property
    def budget(self) -> RetryBudget | None:
        """What attempts beyond the first are paid from."""
        spender = self.hedge or self.retry
        return spender.budget if spender else None

    @property
    def gives_up(self) -> bool:
        """Whether it may leave an attempt that is still under way."""
        return self.timeout is not None or self.deadline is not None or self.hedge is not None


def backoff_delay_s(backoff: Backoff, *, retry: int, uniform: float, previous_s: float | None = None) -> float:
    """Return the wait in seconds before retry number ``retry`` (1 is the first).

    Args:
        backoff: how the waits grow, and how chance moves them.
        retry: 1 or more.
        uniform: the addressed draw in (0, 1) that the jitter uses.
        previous_s: the wait before the previous retry, which a decorrelated wait grows from; none before the first.

    >>> backoff_delay_s(ExponentialBackoff(base="100ms", cap="2s", jitter="none"), retry=3, uniform=0.5)
    0.4
    """
    match backoff:
        case ConstantBackoff():
            delay_s = backoff.delay
        case ExponentialBackoff():
            delay_s = min(backoff.cap, backoff.base * backoff.factor ** (retry - 1))
        case DecorrelatedBackoff():
            before_s = backoff.base if previous_s is None else previous_s
            return min(backoff.cap, backoff.base + (3 * before_s - backoff.base) * uniform)
        case _:
            assert_never(backoff)
    match backoff.jitter:
        case "none":
            return delay_s
        case "full":
            return delay_s * uniform
        case "equal":
            return delay_s / 2 + delay_s / 2 * uniform
