"""A message queue as it is described: what lies between those who publish and the service that consumes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lab.distributions import Constant, Distribution
from lab.quantities import Count, Duration, PositiveDuration, Spec
from lab.scenario.names import Name

_NO_TIME = Constant(mean="0s")  # type: ignore[arg-type]  # text in, seconds inside
_HALF_A_MILLISECOND = Constant(mean="500us")  # type: ignore[arg-type]  # text in, seconds inside


class Queue(Spec):
    """A broker (Valkey Streams, SQS, RabbitMQ, Kafka) that hands each message to a replica of the consuming service."""

    kind: Literal["queue"] = "queue"
    consumer: str = Field(description="Name of the service whose replicas take the messages.")
    endpoint: Name = Field(description="The endpoint of that service that works on one message.")
    prefetch: Count = Field(
        default=1,
        le=10_000,
        description="Messages that one replica holds unacknowledged at once; its slots do the rest.",
    )
    acknowledge: Literal["after", "before"] = Field(
        default="after",
        description="after: when the work is done, so a message may be worked on twice; before: on delivery, so it may "
        "be lost.",
    )
    visibility_timeout: PositiveDuration | None = Field(
        default="30s",
        validate_default=True,
        description="An unacknowledged message is delivered again after this time. None: never.",
    )
    redelivery: Literal["timeout", "at_once"] = Field(
        default="timeout",
        description="When a message whose work failed or whose consumer died comes back, to the head of its line. "
        "timeout: when its visibility timeout runs out (Streams, SQS); at_once: when the broker sees it (RabbitMQ).",
    )
    poll_interval: Duration = Field(
        default=0.0,
        description="How often a consumer that has room and is given nothing looks for messages whose visibility "
        "timeout is over (XAUTOCLAIM); until then, or an acknowledgement, they stay with whom they were delivered to. "
        "0: the broker sees to them itself.",
    )
    max_attempts: Count = Field(
        default=5, le=1000, description="Deliveries of one message; after the last it is a dead letter."
    )
    capacity: Count | None = Field(default=None, description="Messages that may wait. None: no limit.")
    overflow: Literal["drop_head", "reject"] = Field(
        default="drop_head",
        description="When it is full. drop_head: the oldest waiting message is lost; reject: publishing is an error.",
    )
    partitions: Count | None = Field(
        default=None,
        le=10_000,
        description="Lines by key, each for one consumer at a time and in order (Kafka). None: one line, for which "
        "the consumers compete.",
    )
    max_priority: Count | None = Field(
        default=None,
        le=255,
        description="Highest priority of messages; a higher one counts as this. What a consumer has, it keeps. With "
        "drop_head a full queue drops the most urgent of those that wait (RabbitMQ). None: one class.",
    )
    publish_time: Distribution = Field(
        default=_HALF_A_MILLISECOND, description="Time of publishing one message, network included."
    )
    access_time: Distribution = Field(
        default=_NO_TIME,
        description="Time of one exchange of a consumer with the broker, network included: it fetches each message by "
        "one and acknowledges it by another, and has no room for the next meanwhile.",
    )

    @property
    def deliveries(self) -> int:
        """How often one message may be delivered."""
        forever = self.redelivery == "timeout" and self.visibility_timeout is None
        return 1 if self.acknowledge == "before" or forever else self.max_attempts
