"""What an endpoint does for a request: a list of steps, nested to any depth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Union

from pydantic import Discriminator, Field

from lab.distributions import Distribution
from lab.quantities import Spec


class CpuStep(Spec):
    """Computes on the replica's event loop, which does nothing else meanwhile."""

    kind: Literal["cpu"] = "cpu"
    time: Distribution = Field(description="CPU time.")


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
    """One statement on a pooled connection of a database."""

    kind: Literal["query"] = "query"
    database: str = Field(description="Name of a database.")
    query: str = Field(description="Name of one of its queries.")


class CallStep(Spec):
    """Calls an endpoint of another service and waits for the answer."""

    kind: Literal["call"] = "call"
    target: str = Field(description="Name of a load balancer or of a service with one replica.")
    endpoint: str = Field(description="The endpoint to call there.")


class PublishStep(Spec):
    """Puts a message about the request's key into a queue; its consumers work on it in the background."""

    kind: Literal["publish"] = "publish"
    queue: str = Field(description="Name of a queue.")


class ParallelStep(Spec):
    """Does several lists of steps at once and goes on when all have ended."""

    kind: Literal["parallel"] = "parallel"
    branches: tuple[tuple[StepSpec, ...], ...] = Field(min_length=2, description="Lists of steps.")


StepSpec = Annotated[
    Union[  # noqa: UP007  # recursive
        CpuStep, WaitStep, CachedStep, InvalidateStep, QueryStep, CallStep, PublishStep, ParallelStep
    ],
    Discriminator("kind"),
]

CachedStep.model_rebuild()
ParallelStep.model_rebuild()


def walk(steps: tuple[StepSpec, ...]) -> Iterator[StepSpec]:
    """Yield every step, nested ones too, in the order in which they are written."""
    for step in steps:
        yield step
        match step:
            case CachedStep():
                yield from walk(step.miss)
            case ParallelStep():
                for branch in step.branches:
                    yield from walk(branch)
            case _:
                pass
