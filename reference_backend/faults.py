"""What is to go wrong during each repeat, and when: times are relative to the schedule's zero."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from reference_backend.spec import Name, Spec


class _Fault(Spec):
    at_s: Annotated[float, Field(ge=0, le=86_400)]
    component: Name


class FlushFault(_Fault):
    """A cache forgets every entry: FLUSHALL."""

    kind: Literal["flush"]


Fault = FlushFault
