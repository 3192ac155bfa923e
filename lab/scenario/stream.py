"""A stream as it is described: a log in partitions, which a group of consumers reads batch after batch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lab.distributions import Constant, Distribution
from lab.quantities import Count, Duration, PositiveDuration, Spec
from lab.scenario.names import Name

_NO_TIME = Constant(mean="0s")  # type: ignore[arg-type]  # text in, seconds inside
_HALF_A_MILLISECOND = Constant(mean="500us")  # type: ignore[arg-type]


class Stream(Spec):
    """A log in partitions (Kafka). Each partition is read by one consumer of the group, in order, from its last commit.

    Each ready replica of the consuming service is one consumer, which works on one record after the other; those
    beyond the number of partitions idle. Nothing is lost; what was not committed when a partition changed hands is
    worked on again.
    """

    kind: Literal["stream"] = "stream"
    consumer: str = Field(description="Name of the service whose replicas are the group of consumers.")
    endpoint: Name = Field(description="The endpoint of that service that works on one record.")
    partitions: Count = Field(
        default=1, le=10_000, description="Lines of records; a hash of its key says to which one a record belongs."
    )
    max_poll_records: Count = Field(
        default=500, le=1_000_000, description="Records that one poll brings at most: the largest batch."
    )
    poll_time: Distribution = Field(
        default=_NO_TIME,
        description="What each batch costs beside the work on its records: fetching, and the commit's round trip.",
    )
    commit_interval: Duration = Field(
        default="5s",
        validate_default=True,
        description="A consumer commits what it has worked on at its first poll so long after the last commit "
        "(auto-commit). 0s: after each batch.",
    )
    max_attempts: Count = Field(
        default=10,
        le=1000,
        description="How often in a row a record is tried whose work fails; then it is passed over, a dead letter.",
    )
    rebalance: Literal["eager", "cooperative"] = Field(
        default="eager",
        description="When a consumer comes or goes. eager: all stop until all have joined anew; cooperative: only the "
        "partitions that move stop.",
    )
    rebalance_time: Duration = Field(
        default="100ms",
        validate_default=True,
        description="From when the last consumer has joined anew to when all know what is theirs.",
    )
    heartbeat_interval: PositiveDuration = Field(
        default="3s", validate_default=True, description="How often a consumer is heard of, and hears of a rebalance."
    )
    session_timeout: PositiveDuration = Field(
        default="45s",
        validate_default=True,
        description="A consumer that was not heard of for so long loses its partitions (10s before Kafka 3.0).",
    )
    max_poll_interval: PositiveDuration = Field(
        default="5min",
        validate_default=True,
        description="A consumer that works longer on one batch loses its partitions, and joins anew when it is done.",
    )
    publish_time: Distribution = Field(
        default=_HALF_A_MILLISECOND, description="Time of publishing one record, network included."
    )
