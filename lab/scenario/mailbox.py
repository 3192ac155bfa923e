"""Mailboxes as they are described: messages are kept for recipients until they are online."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lab.distributions import Constant, Distribution
from lab.quantities import Count, PositiveDuration
from lab.scenario.names import Name
from lab.scenario.presence import OnOff

_HALF_A_MILLISECOND = Constant(mean="500us")  # type: ignore[arg-type]  # text in, seconds inside


class Mailbox(OnOff):
    """Store and forward (chat): a message is kept until its recipient is online, delivered in order, then deleted.

    The request's key is the recipient (or the group). When the publishing has ended the message is stored (one tick);
    when its delivery was acknowledged it is deleted (two ticks). One message of a recipient is out at a time. A
    recipient who goes offline before the delivery has ended has not acknowledged it.
    """

    kind: Literal["mailbox"] = "mailbox"
    consumer: str = Field(
        description="Name of the service whose replicas deliver; each recipient is connected to one of them, by a hash."
    )
    endpoint: Name = Field(
        description="The endpoint of that service that delivers one message, up to the acknowledgement."
    )
    capacity: Count | None = Field(default=None, description="Messages kept for one recipient. None: no limit.")
    overflow: Literal["drop_head", "reject"] = Field(
        default="reject",
        description="When it is full. drop_head: the recipient's oldest waiting message is lost; reject: publishing is "
        "an error.",
    )
    retention: PositiveDuration = Field(
        default="720h",
        validate_default=True,
        description="A message that was not delivered after so long is deleted (WhatsApp: 30 days).",
    )
    retry_after: PositiveDuration = Field(
        default="30s",
        validate_default=True,
        description="A delivery that failed while the recipient is online is tried again after this time.",
    )
    group_size: Count = Field(
        default=1,
        le=1024,
        description="Recipients of each message. 1: the key itself; more: members of the group that the key names.",
    )
    recipients: Count | None = Field(
        default=None, description="How many recipients there are, among whom groups have their members."
    )
    publish_time: Distribution = Field(
        default=_HALF_A_MILLISECOND, description="Time of storing one message, network included."
    )
