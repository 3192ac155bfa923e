"""What an endpoint does for a request: a list of steps, nested to any depth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Union, assert_never

from pydantic import Discriminator, Field, model_validator

from lab.distributions import Distribution
from lab.quantities import Count, CountOrZero, PositiveDuration, Spec
from lab.scenario.client import Backoff, CircuitBreaker, ConstantBackoff
from lab.scenario.hedge import Hedge
from lab.scenario.problems import Path


class CpuStep(Spec):
    """Computes on the replica's event loop, which does nothing else meanwhile."""

    kind: Literal["cpu"] = "cpu"
    time: Distribution = Field(description="CPU time.")
    work: Literal["argon2id", "jwt", "json"] | None = Field(
        default=None,
        description="What a real backend does there instead of computing for a drawn time, so that only a calibration "
        "knows the time. argon2id: checks a password, and lets go of the interpreter's lock (GIL), so that in a thread "
        "it computes beside the event loop, on the service's hosts, or without any on a core of its own; jwt: signs "
        "and checks a token; json: reads and writes a document of 60 kB. None: it computes for the drawn time.",
    )


class WaitStep(Spec):
    """Awaits something outside the scenario; holds the slot, not the event loop."""

    kind: Literal["wait"] = "wait"
    time: Distribution = Field(description="How long.")


class CachedStep(Spec):
    """Looks the request's key up in a cache; on a miss does the ``miss`` steps, then stores the answer."""

    kind: Literal["cached"] = "cached"
    cache: str = Field(description="Name of a cache.")
    miss: tuple[StepSpec, ...] = Field(min_length=1, description="What a miss costs.")


class InvalidateStep(Spec):
    """Deletes the request's key from a cache, as a write does; costs one access."""

    kind: Literal["invalidate"] = "invalidate"
    cache: str = Field(description="Name of a cache.")


class QueryStep(Spec):
    """One statement on a pooled connection of a database, or several one after the other (N+1)."""

    kind: Literal["query"] = "query"
    database: str = Field(description="Name of a database.")
    query: str = Field(description="Name of one of its queries.")
    repeat: Count = Field(
        default=1,
        description="How often, one after the other: each takes a connection and a round trip of its own (on one "
        "connection: put it in a transaction).",
        le=500,
    )


class TransactionStep(Spec):
    """Holds one connection of a database over all its steps, whatever they wait for, and ends in a commit.

    Its queries of that database run on this connection. If a step fails it is rolled back. Commit and rollback are
    statements of their own, which take a round trip. With ``retries`` the application does all of it again, its steps
    anew, when it was rolled back over a conflict with another transaction (SQLSTATE 40001).
    """

    kind: Literal["transaction"] = "transaction"
    database: str = Field(description="Name of a database.")
    steps: tuple[StepSpec, ...] = Field(min_length=1, description="What is done while it holds the connection.")
    idempotent: bool = Field(
        default=False,
        description="Whether it first writes an idempotency key, the client's request: what was committed for that "
        "request before (its client has tried again, its message came again) is not done again, and counts as done.",
    )
    retries: CountOrZero = Field(default=0, description="How often it is tried again after a conflict.", le=100)
    backoff: Backoff = Field(
        default=ConstantBackoff(delay="0s"),  # type: ignore[arg-type]  # text in, seconds inside
        description="The wait before it is tried again, on no connection.",
    )


class CallStep(Spec):
    """Calls an endpoint of another service and waits for the answer."""

    kind: Literal["call"] = "call"
    target: str = Field(description="Name of a load balancer or of a service with one replica.")
    endpoint: str = Field(description="The endpoint to call there.")
    timeout: PositiveDuration | None = Field(
        default=None,
        description="How long to wait for the answer: then the step fails, and the callee works on for nobody. None: "
        "for ever.",
    )
    hedge: Hedge | None = Field(
        default=None,
        description="Calling again while the first answer is still out; each process has a budget of its own for this "
        "step. Copies that lost are served to their end. None: one call.",
    )
    circuit_breaker: CircuitBreaker | None = Field(
        default=None,
        description="Not calling a service that fails; each process has one of its own for this step. What it refuses "
        "fails at once. None: always calling.",
    )

    @model_validator(mode="after")
    def _breaks_alone(self) -> CallStep:
        if self.circuit_breaker is None:
            return self
        if self.hedge is not None:
            raise ValueError(
                "hedge stands beside circuit_breaker; a breaker that would count copies is not modelled; take one of "
                "them out"
            )
        if self.circuit_breaker.scope == "per_client":
            raise ValueError(
                "circuit_breaker.scope: per_client has no effect on a call, where each process has one; leave it out"
            )
        return self

    @model_validator(mode="after")
    def _hedges_in_time(self) -> CallStep:
        if self.hedge is None:
            return self
        if self.timeout is not None and self.hedge.after >= self.timeout:
            raise ValueError(
                f"hedge.after ({self.hedge.after:g} s) must be less than the timeout ({self.timeout:g} s), or no copy "
                "is ever sent beside another"
            )
        for key, purse in (("budget", self.hedge.budget), ("throttle", self.hedge.throttle)):
            if purse is not None and purse.scope == "per_client":
                raise ValueError(
                    f"hedge.{key}.scope: per_client has no effect on a call, where each process has its own; leave it "
                    "out"
                )
        return self


class PublishStep(Spec):
    """Puts a message about the request's key into a queue, stream or mailbox, where others work on it later."""

    kind: Literal["publish"] = "publish"
    queue: str = Field(description="Name of a queue, stream or mailbox.")
    priority: CountOrZero = Field(
        default=0,
        le=255,
        description="Of the message, in a queue with max_priority: higher ones are delivered first, fifo among equals.",
    )


class ThreadStep(Spec):
    """Does its steps in a thread, as for a handler without ``async``: the event loop serves others meanwhile."""

    kind: Literal["thread"] = "thread"
    steps: tuple[StepSpec, ...] = Field(min_length=1, description="What the thread does, one after the other.")


class ParallelStep(Spec):
    """Does several lists of steps at once and goes on when all have ended, or enough of them.

    Branches that nobody waits for any more work on and hold what they hold, as the tasks do that ``asyncio.wait``
    returns as pending. Where not all are waited for, the visits have a row of ``NAME.parallel`` for each such step,
    whose operation says how it ended (``full``, ``partial``, ``failed``), and one of ``NAME.branches`` a branch; the
    share of full answers is the figure full_answer_ratio.
    """

    kind: Literal["parallel"] = "parallel"
    branches: tuple[tuple[StepSpec, ...], ...] = Field(min_length=1, description="Lists of steps.")
    copies: Count = Field(
        default=1,
        description="How often each branch is done, all at once: a query that goes to so many leaves.",
        le=500,
    )
    wait_for: Literal["all", "quorum", "first"] | Count = Field(
        default="all",
        description="How many branches must end well. all: waits until each has ended or is late; quorum: more than "
        "half; first: one; or a number. All but ``all`` go on as soon as so many are good, or can no longer be.",
    )
    timeout: PositiveDuration | None = Field(
        default=None, description="How long each branch may take: later it counts as failed. None: for ever."
    )
    on_failure: Literal["fail", "partial"] = Field(
        default="fail",
        description="What fewer good branches lead to. fail: the step fails; partial: it waits for the rest, and goes "
        "on with the good ones if there is at least one.",
    )

    @model_validator(mode="after")
    def _enough(self) -> ParallelStep:
        if self.width == 1:
            raise ValueError("one branch alone is nothing parallel; give it a second one, or copies")
        if self.wanted > self.width:
            raise ValueError(
                f"wait_for is {self.wanted}, but there are {self.width} branches, so it could never end well; wait for "
                "fewer"
            )
        if self.on_failure == "partial" and self.wanted == 1:
            raise ValueError(
                "on_failure: partial has no effect where one good branch is all that is waited for; leave it out, or "
                "wait for more"
            )
        return self

    @property
    def width(self) -> int:
        """How many branches are done at once."""
        return len(self.branches) * self.copies

    @property
    def wanted(self) -> int:
        """How many good branches make a full answer."""
        match self.wait_for:
            case "all":
                return self.width
            case "quorum":
                return self.width // 2 + 1
            case "first":
                return 1
            case int():
                return self.wait_for

    @property
    def waits_for_all(self) -> bool:
        """Whether it goes on when every branch has ended, and never earlier or with less."""
        return self.wait_for == "all" and self.timeout is None and self.on_failure == "fail"


StepSpec = Annotated[
    Union[  # noqa: UP007  # recursive
        CpuStep,
        WaitStep,
        CachedStep,
        InvalidateStep,
        QueryStep,
        TransactionStep,
        CallStep,
        PublishStep,
        ThreadStep,
        ParallelStep,
    ],
    Discriminator("kind"),
]

CachedStep.model_rebuild()
TransactionStep.model_rebuild()
ThreadStep.model_rebuild()
ParallelStep.model_rebuild()


def nested(step: StepSpec) -> tuple[tuple[Path, tuple[StepSpec, ...]], ...]:
    """Return the lists of steps that a step holds, each with its path below the step."""
    match step:
        case CachedStep():
            return ((("miss",), step.miss),)
        case TransactionStep() | ThreadStep():
            return ((("steps",), step.steps),)
        case ParallelStep():
            return tuple((("branches", number), branch) for number, branch in enumerate(step.branches))
        case _:
            return ()


def asked(step: StepSpec) -> str | None:
    """Return the name of the component that a step asks; None if it asks none itself."""
    match step:
        case CallStep():
            return step.target
        case QueryStep() | TransactionStep():
            return step.database
        case CachedStep() | InvalidateStep():
            return step.cache
        case PublishStep():
            return step.queue
        case CpuStep() | WaitStep() | ThreadStep() | ParallelStep():
            return None
        case _:
            assert_never(step)


def walk(steps: tuple[StepSpec, ...]) -> Iterator[StepSpec]:
    """Yield every step, nested ones too, in the order in which they are written."""
    for step in steps:
        yield step
        for _, inner in nested(step):
            yield from walk(inner)
