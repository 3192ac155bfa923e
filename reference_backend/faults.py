"""What is to go wrong during each repeat, and when: times are relative to the schedule's zero."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from reference_backend.spec import Index, Name, Seconds, Spec


class _Fault(Spec):
    at_s: Annotated[float, Field(ge=0, le=86_400)]


class _OfAPart(_Fault):
    component: Name


class _OfALink(_Fault):
    """A fault of the network between a caller and a callee, in either order; ``client`` is the load generator."""

    between: Annotated[tuple[Name, ...], Field(min_length=2, max_length=2)]
    duration_s: Seconds


class OfReplicas(_OfAPart):
    """A fault of some replicas of a service: one by its number, or so many of those ready for longest; else all."""

    replicas: Annotated[int, Field(ge=1, le=64)] | None = None
    replica: Index | None = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        if self.replicas is not None and self.replica is not None:
            raise ValueError("replicas says how many and replica says which one; give one of them")
        return self


class FlushFault(_OfAPart):
    """A cache forgets every entry: FLUSHALL."""

    kind: Literal["flush"]


class CrashFault(OfReplicas):
    """Replicas are killed: SIGKILL. They are started again at their addresses after ``restart_after_s``, if at all.

    Of a database it is the primary: an immediate shutdown, which breaks every connection. It recovers from its log.
    """

    kind: Literal["crash"]
    restart_after_s: Annotated[float, Field(ge=0, le=86_400)] | None = None


class HangFault(OfReplicas):
    """Replicas stand still: SIGSTOP, and after ``duration_s`` SIGCONT."""

    kind: Literal["hang"]
    duration_s: Seconds


class SlowDownFault(OfReplicas):
    """The demands of the ``cpu`` or ``wait`` steps that begin meanwhile take ``factor`` times as long."""

    kind: Literal["slow_down"]
    factor: Annotated[float, Field(gt=1, le=1000)]
    steps: Literal["cpu", "wait"] = "cpu"
    duration_s: Seconds


class PartitionFault(_OfALink):
    """Nothing passes: connections hang, and what was sent meanwhile arrives when it is over."""

    kind: Literal["partition"]


class SlowLinkFault(_OfALink):
    """Everything arrives ``delay_s`` later, each way, in order and as much of it as before."""

    kind: Literal["slow_link"]
    delay_s: Seconds


Fault = Annotated[
    FlushFault | CrashFault | HangFault | SlowDownFault | PartitionFault | SlowLinkFault, Field(discriminator="kind")
]
