"""The group of a stream's consumers, as its coordinator sees it: who is in it, and when partitions change hands."""

from __future__ import annotations

from enum import Enum, auto

from lab.scenario.stream import Stream as Spec
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.log import Log
from lab.simulation.stream.assignment import ranges, sticky
from lab.simulation.stream.consumer import Consumer
from lab.simulation.stream.partition import Partitions


class _Phase(Enum):
    STABLE = auto()
    GATHERING = auto()
    DEALING = auto()


class Group:
    """Deals the partitions to its members whenever one comes or goes.

    ::

                 somebody comes or goes                 all members have joined anew
        stable -------------------------> gathering ------------------------------------> dealing
           ^                                  ^    (a dead one is waited for until its         |
           |                                  |     session times out)                         |
           +----- after rebalance_time -------|------------------------------------------------+
                                              `-- if somebody came or went meanwhile ----------'

    Members hear of a rebalance with their next heartbeat and join at their next poll. eager: they give up all their
    partitions then, so from the first one's joining until the deal partitions stand still. cooperative: they go on
    reading; at the deal each learns which of its partitions another is to have, gives those up at its next poll, and
    joins anew: in a second rebalance they go to their new owners.

    Events: ``rebalance`` when it begins, ``rebalanced`` when all know what is theirs; ``expelled``, of a member that
    was not heard of (session) or worked too long on one batch (poll).
    """

    def __init__(self, *, clock: Clock, log: Log, name: str, spec: Spec, partitions: Partitions) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._spec = spec
        self._partitions = partitions
        self._phase = _Phase.STABLE
        self._joined: set[Consumer] = set()  # only asked for membership, never iterated over
        self._again = False
        self.members: list[Consumer] = []  # in the order of their coming

    def found(self, consumers: list[Consumer]) -> None:
        """Begin the run with a group that has been dealt its partitions long ago."""
        self.members = consumers
        if consumers:
            self._deal_ranges()

    def join(self, consumer: Consumer, why: str) -> None:
        """Take a consumer in, or let a member join anew."""
        if consumer not in self.members:
            self.members.append(consumer)
        if self._phase is _Phase.DEALING:
            self._again = True
            return
        self._joined.add(consumer)
        self._change(why, consumer)

    def leave(self, consumer: Consumer) -> None:
        """Let a member go that says good-bye."""
        self._remove(consumer)
        self._change("leave", consumer)

    def expel(self, consumer: Consumer, why: str) -> None:
        """Count a member out that was not heard of for too long."""
        self._log.event(self._name, "expelled", self._clock.now, replica=consumer.index, why=why)
        self._remove(consumer)
        self._change(why, consumer)

    def calls(self, consumer: Consumer) -> bool:
        """Tell a member that was heard of whether it is to join anew."""
        return self._phase is _Phase.GATHERING and consumer not in self._joined

    def _remove(self, consumer: Consumer) -> None:
        self.members.remove(consumer)
        self._joined.discard(consumer)
        for partition in self._partitions:
            if partition.owner is consumer:
                self._partitions.take(partition)
        consumer.lose_all()

    def _change(self, why: str, consumer: Consumer) -> None:
        match self._phase:
            case _Phase.STABLE:
                self._gather(why, consumer)
            case _Phase.GATHERING:
                self._deal_if_all_joined()
            case _Phase.DEALING:
                self._again = True

    def _gather(self, why: str, consumer: Consumer) -> None:
        self._phase = _Phase.GATHERING
        self._log.event(self._name, "rebalance", self._clock.now, why=why, replica=consumer.index)
        self._deal_if_all_joined()

    def _deal_if_all_joined(self) -> None:
        if not all(member in self._joined for member in self.members):
            return
        self._phase = _Phase.DEALING
        Timer(self._clock, self._spec.rebalance_time, Order.COMPLETION, lambda _: self._deal())

    def _deal(self) -> None:
        dealt_to = [member for member in self.members if member in self._joined]
        self._joined.clear()
        if dealt_to and self._spec.rebalance == "eager":
            self._deal_ranges(dealt_to)
        elif dealt_to:
            self._deal_sticky(dealt_to)
        self._log.event(self._name, "rebalanced", self._clock.now, members=len(self.members))
        self._phase = _Phase.STABLE
        if self._again:
            self._again = False
            newcomers = [member for member in self.members if member not in dealt_to]
            self._joined.update(newcomers)
            if self.members:
                self._gather("change during a rebalance", (newcomers or self.members)[0])

    def _deal_ranges(self, dealt_to: list[Consumer] | None = None) -> None:
        members = sorted(dealt_to or self.members, key=lambda member: member.index)
        shares = ranges(len(self._partitions.all), len(members))
        for member, share in zip(members, shares, strict=True):
            member.receive([self._partitions.all[number] for number in share], ())

    def _deal_sticky(self, dealt_to: list[Consumer]) -> None:
        members = sorted(dealt_to, key=lambda member: member.index)
        owned = [[partition.number for partition in member.owned] for member in members]
        for member, mine, share in zip(members, owned, sticky(len(self._partitions.all), owned), strict=True):
            new = [self._partitions.all[number] for number in share if number not in mine]
            given_up = tuple(self._partitions.all[number] for number in mine if number not in share)
            member.receive([partition for partition in new if partition.owner is None], given_up)
