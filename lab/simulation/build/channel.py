"""Makes a channel of any kind: what `publish` steps hand messages to."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from lab.scenario.channels import Channel
from lab.scenario.components import Mailbox, Queue, Stream
from lab.simulation.build.mailbox import make_mailbox
from lab.simulation.build.queue import make_queue
from lab.simulation.build.stream import make_stream
from lab.simulation.request import Part

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_channel(world: World, name: str, spec: Channel) -> Part:
    """Return the part that takes the messages of this channel."""
    match spec:
        case Queue():
            return make_queue(world, name, spec)
        case Stream():
            return make_stream(world, name, spec)
        case Mailbox():
            return make_mailbox(world, name, spec)
        case _:
            assert_never(spec)
