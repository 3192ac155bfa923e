"""Whether the keys of a mailbox fit together."""

from __future__ import annotations

from collections.abc import Iterator

from lab.quantities import default_of
from lab.scenario.mailbox import Mailbox
from lab.scenario.problems import Problem


def unfit(name: str, mailbox: Mailbox) -> Iterator[Problem]:
    """Yield which keys of the mailbox ``name`` do nothing, or cannot do what they are for."""
    for key, message in _unfit(mailbox):
        yield Problem(path=("components", name, key), message=message)


def _unfit(mailbox: Mailbox) -> Iterator[tuple[str, str]]:
    if mailbox.capacity is None and mailbox.overflow != default_of(Mailbox, "overflow"):
        yield "overflow", "has no effect, as a mailbox without a capacity is never full; give it a capacity too"
    if mailbox.group_size == 1 and mailbox.recipients is not None:
        yield "recipients", "has no effect without groups, where the key is the recipient; give it a group_size too"
    if mailbox.group_size > 1 and (mailbox.recipients is None or mailbox.recipients < mailbox.group_size):
        known = "is not given" if mailbox.recipients is None else f"is {mailbox.recipients}"
        message = f"{known}, but each group has {mailbox.group_size} members; say how many recipients there are"
        yield "recipients", message
