"""Whom a service turns away out of its backlog, before any work: what waited too long."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field

from lab.quantities import PositiveDuration, Spec


class Codel(Spec):
    """Controlled delay (Nichols and Jacobson): sheds one now and then, more and more often, until the wait is short.

    When whoever is called has waited for ``target`` or more during a whole ``interval``, one is shed; while that
    stays so, the next one interval / sqrt(2) later, then interval / sqrt(3), and so on. Meant for senders that slow
    down when they lose something: against clients that do not, it sheds too little. Nobody is shed while no more than
    one other waits.

    Source: RFC 8289, with requests for packets of full size.
    """

    kind: Literal["codel"] = "codel"
    target: PositiveDuration = Field(
        default="5ms", validate_default=True, description="The wait that may stand for ever."
    )
    interval: PositiveDuration = Field(
        default="100ms",
        validate_default=True,
        description="How long the wait may be longer before the first is shed; about the longest usual answer time.",
    )


class ServerCodel(Spec):
    """Facebook's controlled delay for servers: a short patience while the queue does not get empty, else a long one.

    Who comes gets a patience of ``interval`` if the backlog was empty within the last ``interval``, else of
    ``target``; whoever has waited longer when called is turned away.

    Source: Maurer (2015), "Fail at scale", ACM Queue 13(8): M = 5 ms, N = 100 ms.
    """

    kind: Literal["server_codel"] = "server_codel"
    target: PositiveDuration = Field(
        default="5ms", validate_default=True, description="Patience in a queue that stands (M)."
    )
    interval: PositiveDuration = Field(
        default="100ms",
        validate_default=True,
        description="Patience in a burst, and how long a queue must not have been empty to be a standing one (N).",
    )


def _kind_from_text(value: object) -> object:
    return {"kind": value} if isinstance(value, str) else value


Shedding = Annotated[Annotated[Codel | ServerCodel, Discriminator("kind")], BeforeValidator(_kind_from_text)]
"""Any way of shedding; a bare word such as ``server_codel`` is the one of that kind with its defaults."""
