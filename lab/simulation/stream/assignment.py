"""Which consumer reads which partition: Kafka's range and sticky assignments of one stream, as pure rules."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def ranges(partitions: int, consumers: int) -> list[range]:
    """Return each consumer's partitions: stretches of one length, the first ones longer by one if it does not divide.

    Source: Apache Kafka 3.9, RangeAssignor.

    >>> ranges(5, 2), ranges(2, 3)
    ([range(0, 3), range(3, 5)], [range(0, 1), range(1, 2), range(2, 2)])
    """
    each, more = divmod(partitions, consumers)
    starts = [number * each + min(number, more) for number in range(consumers + 1)]
    return [range(start, end) for start, end in pairwise(starts)]


def sticky(partitions: int, owned: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return each consumer's partitions: even to one, and everybody keeps as many of their own as that allows.

    Those who own most may keep the one more, the earlier consumer among equals; what is left goes, in order, to whoever
    has fewest.

    Source: Apache Kafka 3.9, AbstractStickyAssignor (equal subscriptions); which partitions change hands among equals
    is our own choice: the last ones of those who have too many.

    Args:
        partitions: how many there are.
        owned: by consumer, which it owns now.

    >>> sticky(4, [[0, 1, 2, 3], []])
    [[0, 1], [2, 3]]
    >>> sticky(3, [[2], [0, 1], []])
    [[2], [0], [1]]
    """
    each, more = divmod(partitions, len(owned))
    kept: list[list[int]] = [[] for _ in owned]
    for consumer in sorted(range(len(owned)), key=lambda number: -len(owned[number])):
        room = each + (more > 0 and len(owned[consumer]) > each)
        more -= room > each
        kept[consumer] = list(owned[consumer][:room])
    taken = {number for mine in kept for number in mine}
    for number in (number for number in range(partitions) if number not in taken):
        min(kept, key=len).append(number)
    return kept
