"""The broker: keeps messages, hands them out, and takes care of those that were not acknowledged."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from lab.randomness import child_visit, splitmix64
from lab.scenario.queue import Queue as Spec
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.fleet import Fleet, Member
from lab.simulation.log import Log, Visit
from lab.simulation.queue.consumers import Competing, Consumers, Owner
from lab.simulation.queue.priorities import ByPriority, priority_of
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.variate import Variate


class Message:
    """What one publishing left behind.

    Attributes:
        job: the request that its consumer is sent.
        stay: the row of its present stay: in its lane, then unacknowledged.
        deliveries: how often it was delivered.
        out: whether it is delivered and not settled.
        failed: whether its present delivery ended without success.
        priority: of its publishing; higher ones go first where the queue heeds it.
        done: acknowledged, dropped or dead: nothing becomes of it any more.
    """

    __slots__ = ("deliveries", "done", "failed", "job", "lane", "out", "priority", "stay")

    def __init__(self, *, job: Request, lane: Lane, stay: Visit, priority: int) -> None:
        self.job = job
        self.priority = priority
        self.lane = lane
        self.stay = stay
        self.deliveries = 0
        self.out = False
        self.failed = False
        self.done = False


@dataclass(slots=True, kw_only=True)
class Lane:
    """Messages in order, and those who take them.

    Attributes:
        messages: those that wait; among them may be some that are done.
        length: how many really wait.
    """

    consumers: Consumers
    messages: deque[Message] | ByPriority[Message]
    length: int = 0


class Broker:
    """``handle`` publishes one message; the rest happens behind the publisher's back.

    ::

        published --> waiting --a consumer has room--> unacknowledged --its work succeeded--> acknowledged
             |         ^   |                               |
          full:        |   `-- full: the oldest dropped    |-- failed, its consumer died, or visibility timeout:
        rejected       +----------- again, at the head ----+   after max_attempts deliveries a dead letter

    A consumer whose message went to another after the visibility timeout works on: when both succeed the message was
    processed twice. Rows: ``NAME.publish`` for each publishing, and ``NAME`` for each stay of a message, from the
    time it could be delivered to its settlement (ok: acknowledged; error, timeout: it came back or is a dead letter;
    rejected: dropped).
    """

    def __init__(self, *, clock: Clock, log: Log, name: str, spec: Spec, fleet: Fleet, publish_time: Variate) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._spec = spec
        self._fleet = fleet
        self._publish_time = publish_time
        self._capacity = math.inf if spec.capacity is None else spec.capacity
        self._lanes = self._make_lanes()
        self.unacknowledged = 0
        for member in fleet.ready:
            self._follow(member)
        fleet.watch(self._follow)

    def _make_lanes(self) -> list[Lane]:
        highest = self._spec.max_priority
        if self._spec.partitions is None:
            messages = deque[Message]() if highest is None else ByPriority[Message](highest=highest)
            return [Lane(consumers=Competing(prefetch=self._spec.prefetch), messages=messages)]
        return [Lane(consumers=Owner(number=number), messages=deque()) for number in range(self._spec.partitions)]

    def handle(self, request: Request) -> Handling:
        """Publish one message about the request's key."""
        clock = self._clock
        visit = self._log.open_visit(request, f"{self._name}.publish", 0, clock.now)
        visit.admit(clock.now)
        visit.service_time_s = time_s = self._publish_time(request)
        if time_s:
            yield clock.timeout(time_s)
        # One lane takes all; partitions share the keys by a hash, as Kafka's producers do.
        lane = self._lanes[splitmix64(request.key) % len(self._lanes)]
        if lane.length >= self._capacity:
            if self._spec.overflow == "reject":
                return visit.close(clock.now, Outcome.REJECTED)
            self._drop_oldest(lane)
        visit.close(clock.now, Outcome.OK)
        job = Request(request.number, request.attempt, self._spec.endpoint, request.key, request.visit, background=True)
        priority = 0 if self._spec.max_priority is None else priority_of(request.operation)
        message = Message(job=job, lane=lane, stay=self._new_stay(job), priority=priority)
        lane.messages.append(message)
        lane.length += 1
        self._hand_out(lane)
        return Outcome.OK

    @property
    def waiting(self) -> int:
        """Messages that could be delivered now, if somebody had room."""
        return sum(lane.length for lane in self._lanes)

    def _drop_oldest(self, lane: Lane) -> None:
        while True:
            oldest = lane.messages.popleft()
            if not oldest.done:
                lane.length -= 1
                self._settle(oldest, Outcome.REJECTED)
                self._note("dropped", oldest)
                return

    def _new_stay(self, job: Request) -> Visit:
        return self._log.open_visit(job, self._name, -1, self._clock.now)

    def _follow(self, member: Member) -> None:
        for lane in self._lanes:
            lane.consumers.follow(self._fleet.ready, member)
            self._hand_out(lane)

    def _hand_out(self, lane: Lane) -> None:
        while lane.length:
            consumer = lane.consumers.take()
            if consumer is None:
                return
            message = lane.messages.popleft()
            while message.done:
                message = lane.messages.popleft()
            lane.length -= 1
            self._deliver(message, consumer)

    def _deliver(self, message: Message, consumer: Member) -> None:
        message.deliveries += 1
        message.out, message.failed = True, False
        message.stay.admit(self._clock.now)
        message.stay.replica = consumer.index
        self.unacknowledged += 1
        delivery = message.deliveries
        if self._spec.acknowledge == "before":
            self._settle(message, Outcome.OK)
        elif self._spec.visibility_timeout is not None:
            Timer(self._clock, self._spec.visibility_timeout, Order.EXPIRY, lambda _: self._expire(message, delivery))
        self._clock.process(self._work(message, consumer, delivery))

    def _work(self, message: Message, consumer: Member, delivery: int) -> Handling:
        job = message.job
        again = delivery - 1
        visit = child_visit(job.visit, again) if again else job.visit  # a new delivery draws new times
        outcome = yield from consumer.handle(Request(job.number, job.attempt, job.operation, job.key, visit, True))
        if self._spec.acknowledge == "before":
            if outcome is not Outcome.OK:
                self._note("lost", message)
        elif outcome is Outcome.OK:
            self._acknowledge(message)
        elif message.out and message.deliveries == delivery:
            self._fail(message)
        message.lane.consumers.worked(consumer)
        if self._spec.acknowledge == "before":
            message.lane.consumers.settled()
        self._hand_out(message.lane)
        return outcome

    def _acknowledge(self, message: Message) -> None:
        if message.done:
            self._note("processed_again", message)
            return
        if not message.out:  # it is back in its lane, and the first consumer succeeded after all
            message.lane.length -= 1
        self._settle(message, Outcome.OK)

    def _fail(self, message: Message) -> None:
        message.failed = True
        if self._spec.redelivery == "at_once":
            self._take_back(message)

    def _expire(self, message: Message, delivery: int) -> None:
        if message.out and message.deliveries == delivery:
            self._take_back(message)
            self._hand_out(message.lane)

    def _take_back(self, message: Message) -> None:
        """End a delivery without success: the message comes again, or it is a dead letter."""
        outcome = Outcome.ERROR if message.failed else Outcome.TIMEOUT
        if message.deliveries >= self._spec.max_attempts:
            self._settle(message, outcome)
            self._note("dead_letter", message)
            return
        self._end_delivery(message, outcome)
        message.stay = self._new_stay(message.job)
        message.lane.messages.appendleft(message)
        message.lane.length += 1
        self._note("redelivery", message)

    def _settle(self, message: Message, outcome: Outcome) -> None:
        message.done = True
        if message.out:
            self._end_delivery(message, outcome)
        else:
            message.stay.turn_away(self._clock.now, outcome)

    def _end_delivery(self, message: Message, outcome: Outcome) -> None:
        message.stay.close(self._clock.now, outcome)
        message.out = False
        self.unacknowledged -= 1
        if self._spec.acknowledge == "after":
            message.lane.consumers.settled()

    def _note(self, kind: str, message: Message) -> None:
        job = message.job
        self._log.event(
            self._name, kind, self._clock.now, request=job.number, attempt=job.attempt, deliveries=message.deliveries
        )
