"""A queue as a deployment describes it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from reference_backend.spec import Name, Seconds, Spec


class Queue(Spec):
    """A stream on a Valkey server of its own, and the group of the consumer's replicas that take from it.

    Each replica of ``consumer`` reads one message at a time (XREADGROUP) and holds up to ``prefetch`` of them; it works
    on a message as on a request to ``endpoint``, and acknowledges it afterwards (XACK, XDEL) or on delivery. What was
    not acknowledged within ``visibility_timeout_s`` is claimed by the next replica that looks (XCLAIM; every
    ``poll_interval_s`` while it has room and is given nothing), or moved to a stream of dead letters after
    ``max_attempts`` deliveries.

    ``capacity`` bounds the messages that wait to be delivered for the first time; a full queue drops the oldest of them
    or rejects the new one, which is an error of the publishing request.
    """

    kind: Literal["queue"]
    consumer: Name
    endpoint: Name
    prefetch: Annotated[int, Field(ge=1, le=10_000)] = 1
    acknowledge: Literal["after", "before"] = "after"
    visibility_timeout_s: Seconds | None = 30.0
    poll_interval_s: Annotated[float, Field(ge=1e-3, le=3600)] = 0.01
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = 5
    capacity: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    overflow: Literal["drop_head", "reject"] = "drop_head"

    @property
    def deliveries(self) -> int:
        """Return how often one message may be delivered."""
        return 1 if self.acknowledge == "before" or self.visibility_timeout_s is None else self.max_attempts
