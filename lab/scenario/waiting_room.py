"""A waiting room as it is described: how many it lets in, and who may wait for how long."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lab.quantities import Count, CountOrZero, PositiveDuration, Rate, Spec


class WaitingRoom(Spec):
    """A virtual queue before a whole application: it lets so many in, and the others wait for their turn.

    Who comes first is let in first. Who gives up while waiting leaves the line, and joins it at its end when trying
    again. Nobody is let in twice at one moment: an admission rate of 10/s is one each 100 ms.
    """

    kind: Literal["waiting_room"] = "waiting_room"
    targets: str = Field(description="Name of the component that it guards: another front, or a service.")
    max_active: Count | None = Field(default=None, description="How many may be inside at once. None: no limit.")
    admission_rate: Rate | None = Field(
        default=None, description="How many are let in per second at most, evenly. None: no limit."
    )
    max_queue: CountOrZero | None = Field(
        default=None, description="How many may wait; who comes beyond is turned away (503). None: no limit."
    )
    queue_timeout: PositiveDuration | None = Field(
        default=None, description="Longest wait; then 503. None: as long as the client waits."
    )
    session_duration: PositiveDuration | None = Field(
        default=None,
        description="A client that was let in comes and goes as it likes until it has asked for nothing for this long; "
        "then its place is free. None: a place is held for one request.",
    )
