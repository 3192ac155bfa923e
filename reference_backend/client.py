"""How the load generator behaves: the client's part of a deployment file.

Whatever here heeds the attempts of many requests (budget, breaker, throttles) is one for the whole generator.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from reference_backend.spec import Seconds, Spec

Failure = Literal["timeout", "rejected", "error"]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Budget(Spec):
    """A purse that is full at the start: a request puts ``ratio`` of a token in, each further attempt takes one out."""

    ratio: Share
    burst: Count


class CircuitBreaker(Spec):
    """Refuses attempts (or calls) while the last ones failed: resilience4j's rules, with its count-based window.

    A timeout, a rejection and an error are failures. A request of which nothing was sent is rejected.
    """

    window: Count
    minimum: Count
    failure_ratio: Annotated[float, Field(gt=0, le=1)]
    open_for_s: Annotated[float, Field(ge=0, le=86_400)]
    half_open: Count


class Throttle(Spec):
    """Rejects locally with a probability of (requests - multiplier x accepts) / (requests + 1) of the last window.

    The coin travels with the schedule, in the column ``coins``. Source: Site Reliability Engineering, chapter 21.
    """

    multiplier: Annotated[float, Field(ge=1, le=100)]
    window_s: Seconds


class HedgeThrottle(Spec):
    """Further copies while a purse is over half full: a failure takes a token out, a good answer adds ``ratio``."""

    tokens: Annotated[int, Field(ge=1, le=1000)]
    ratio: Share


class Hedge(Spec):
    """A further copy ``after_s`` behind the one before it, or at once when one fails: gRPC's rules (proposal A6).

    The first good answer counts. The connections of the other copies are closed; the backend works on for nobody.
    """

    after_s: Annotated[float, Field(ge=0, le=86_400)]
    throttle: HedgeThrottle | None = None


class Client(Spec):
    """How long the generator waits, and how many attempts (or copies) of a request it may send, and when.

    Attributes:
        timeout_s: how long one attempt may take.
        deadline_s: how long a request may take from its intended start, over all attempts.
        attempts: the most attempts, or copies where it hedges.
        retry_on: after which outcomes there is another attempt; without effect where it hedges.
        budget: pays for all attempts beyond the first of a request.
    """

    timeout_s: Seconds = 10.0
    deadline_s: Seconds | None = None
    attempts: Annotated[int, Field(ge=1, le=20)] = 1
    retry_on: tuple[Failure, ...] = ("timeout", "rejected", "error")
    budget: Budget | None = None
    circuit_breaker: CircuitBreaker | None = None
    throttle: Throttle | None = None
    hedge: Hedge | None = None

    @model_validator(mode="after")
    def _hedges_alone(self) -> Self:
        if self.hedge is not None and (self.circuit_breaker is not None or self.throttle is not None):
            raise ValueError("a client that hedges has neither a circuit_breaker nor a throttle; take one of them out")
        return self

    def longest_s(self, longest_backoff_s: float) -> float:
        """Return the longest that a request may take, if each of its attempts times out."""
        if self.deadline_s is not None:
            return self.deadline_s
        wait_s = longest_backoff_s if self.hedge is None else self.hedge.after_s
        return self.attempts * (self.timeout_s + wait_s)
