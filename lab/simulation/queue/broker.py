"""The broker: keeps messages, hands them out, and takes care of those that were not acknowledged."""

from __future__ import annotations

import math
from collections import deque

from lab.randomness import child_visit, splitmix64
from lab.scenario.queue import Queue as Spec
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.fleet import Fleet, Member
from lab.simulation.log import Log, Visit
from lab.simulation.queue.consumers import Competing, Owner
from lab.simulation.queue.lane import Exchanges, Lane, Message
from lab.simulation.queue.priorities import ByPriority, priority_of
from lab.simulation.request import Handling, Outcome, Request


class Broker:
    """``handle`` publishes one message; the rest happens behind the publisher's back.

    ::

        published --> waiting --a consumer has room--> unacknowledged --its work succeeded--> acknowledged
             |         ^   |                               |
          full:        |   `-- full: the oldest dropped    |-- failed, its consumer died, or visibility timeout:
        rejected       +----------- again, at the head ----+   after max_attempts deliveries a dead letter

    A consumer whose message went to another after the visibility timeout works on: when both succeed the message was
    processed twice. Rows: ``NAME.publish`` for each publishing, ``NAME`` for each stay of a message, from the
    time it could be delivered to its settlement (ok: acknowledged; error, timeout: it came back or is a dead letter;
    rejected: dropped), and where that takes time ``NAME.acknowledge`` for each acknowledging.
    """

    def __init__(self, *, clock: Clock, log: Log, name: str, spec: Spec, fleet: Fleet, exchanges: Exchanges) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._spec = spec
        self._fleet = fleet
        self._publish_time = exchanges.publish
        self._access_time = exchanges.access
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
            return [Lane(consumers=self._competing(), messages=messages)]
        return [Lane(consumers=Owner(number=number), messages=deque()) for number in range(self._spec.partitions)]

    def _competing(self) -> Competing:
        return Competing(clock=self._clock, prefetch=self._spec.prefetch, poll_interval_s=self._spec.poll_interval)

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
        while True:
            self._claim(lane)
            if not lane.length or (consumer := lane.consumers.take()) is None:
                return
            message = lane.messages.popleft()
            while message.done:
                message = lane.messages.popleft()
            lane.length -= 1
            self._deliver(message, consumer)

    def _claim(self, lane: Lane) -> None:
        """Let a consumer that has room look for what is overdue, until it finds a message that comes again."""
        while lane.overdue and lane.consumers.until_a_look_s() is not None:
            message = lane.next_overdue()
            if message is not None and self._take_back(message):
                return

    def _deliver(self, message: Message, consumer: Member) -> None:
        message.deliveries += 1
        message.out, message.failed = True, False
        message.stay.replica = consumer.index
        self.unacknowledged += 1
        delivery = message.deliveries
        if self._access_time is None:
            self._receive(message)
        if self._spec.acknowledge == "after" and self._spec.visibility_timeout is not None:
            Timer(self._clock, self._spec.visibility_timeout, Order.EXPIRY, lambda _: self._expire(message, delivery))
        self._clock.process(self._work(message, consumer, delivery))

    def _receive(self, message: Message) -> None:
        message.stay.admit(self._clock.now)
        if self._spec.acknowledge == "before":
            self._settle(message, Outcome.OK)

    def _work(self, message: Message, consumer: Member, delivery: int) -> Handling:
        job, before = message.job, self._spec.acknowledge == "before"
        again = delivery - 1
        visit = child_visit(job.visit, again) if again else job.visit  # a new delivery draws new times
        work = Request(job.number, job.attempt, job.operation, job.key, visit, True)
        if self._access_time is not None:
            yield self._clock.timeout(self._access_time(work))
            if message.out and message.deliveries == delivery:
                self._receive(message)
            if before:
                yield from self._tell_the_broker(work, consumer)
        outcome = yield from consumer.handle(work)
        if before:
            if outcome is not Outcome.OK:
                self._note("lost", message)
        elif outcome is Outcome.OK:
            self._acknowledge(message)
            if self._access_time is not None:
                yield from self._tell_the_broker(work, consumer)
        elif message.out and message.deliveries == delivery:
            self._fail(message)
        message.lane.consumers.worked(consumer)
        if before:
            message.lane.consumers.settled()
        self._hand_out(message.lane)
        return outcome

    def _tell_the_broker(self, work: Request, consumer: Member) -> Handling:
        """Let the exchange pass in which a consumer acknowledges; what it says has been heeded already."""
        assert self._access_time is not None  # or it takes no time
        visit = self._log.open_visit(work, f"{self._name}.acknowledge", consumer.index, self._clock.now)
        visit.admit(self._clock.now)
        visit.service_time_s = self._access_time(work, 1)
        yield self._clock.timeout(visit.service_time_s)
        return visit.close(self._clock.now, Outcome.OK)

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
        if not message.out or message.deliveries != delivery:
            return
        lane = message.lane
        if not self._spec.poll_interval:
            self._take_back(message)
            self._hand_out(lane)
            return
        lane.overdue.append((message, delivery))
        wait_s = lane.consumers.until_a_look_s()
        if wait_s is not None:  # else the next one that has room again looks
            Timer(self._clock, wait_s, Order.EXPIRY, lambda _: self._hand_out(lane))

    def _take_back(self, message: Message) -> bool:
        """End a delivery without success: return True if the message comes again, False if it is a dead letter."""
        outcome = Outcome.ERROR if message.failed else Outcome.TIMEOUT
        if message.deliveries >= self._spec.max_attempts:
            self._settle(message, outcome)
            self._note("dead_letter", message)
            return False
        self._end_delivery(message, outcome)
        message.stay = self._new_stay(message.job)
        message.lane.messages.appendleft(message)
        message.lane.length += 1
        self._note("redelivery", message)
        return True

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
