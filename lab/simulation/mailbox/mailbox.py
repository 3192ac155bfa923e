"""Store and forward: messages wait for their recipients to be online, and are delivered one after another."""

from __future__ import annotations

import math

from lab.randomness import child_visit, splitmix64
from lab.scenario.mailbox import Mailbox as Spec
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.fleet import Fleet, Life, Member
from lab.simulation.log import Log
from lab.simulation.mailbox.box import Box, Message, members
from lab.simulation.presence import Attendance
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.variate import Variate


class Mailbox:
    """``handle`` stores one message (one tick); the rest happens when its recipient is online.

    ::

        stored --its recipient is online, and nothing else is out to it--> being delivered --acknowledged--> deleted
         |  ^                                                                    |
         |  `-- offline before the end: when back -------------------------------+
         |  `-- the delivery failed: after retry_after --------------------------'
         `-- dropped by a full box, or expired after `retention`

    Rows: ``NAME.publish`` for each storing; ``NAME`` for each stay of a message, from its storing to the end of a
    delivery (ok: acknowledged, two ticks; timeout: the recipient went offline first; error: the delivery failed;
    rejected: dropped or expired). Events: ``redelivery``, ``dropped``, ``expired``, and ``refused`` for each recipient
    of a group whose box was full. Gauge: ``stored``, the messages kept for all recipients.
    """

    def __init__(  # where it stands; what it is, who delivers, who is online, and two times
        self,
        *,
        place: tuple[Clock, Log, str],
        spec: Spec,
        fleet: Fleet,
        attendance: Attendance,
        publish_time: Variate,
        duration_s: float,
    ) -> None:
        self._clock, self._log, self._name = place
        self._spec = spec
        self._fleet = fleet
        self._attendance = attendance
        self._publish_time = publish_time
        self._expires = spec.retention < duration_s  # else no message lives to see it
        self._capacity = math.inf if spec.capacity is None else spec.capacity
        self._boxes: dict[int, Box] = {}
        self._unserved: dict[int, Box] = {}  # those who are online while no process is there to deliver
        self._stored = 0
        fleet.watch(self._follow)

    def handle(self, request: Request) -> Handling:
        """Store one message to the recipient, or to each member of the group, that is the request's key."""
        clock, visit = self._clock, self._log.open_visit(request, f"{self._name}.publish", 0, self._clock.now)
        visit.admit(clock.now)
        visit.service_time_s = time_s = self._publish_time(request)
        if time_s:
            yield clock.timeout(time_s)
        boxes = [self._boxes.setdefault(number, Box(number)) for number in self._recipients(request.key)]
        full = [box for box in boxes if box.length >= self._capacity]
        if full and self._spec.overflow == "reject" and len(full) == len(boxes):
            return visit.close(clock.now, Outcome.REJECTED)
        visit.close(clock.now, Outcome.OK)
        for ordinal, box in enumerate(boxes):
            self._store(request, ordinal, box)
        return Outcome.OK

    def _recipients(self, key: int) -> list[int]:
        size, recipients = self._spec.group_size, self._spec.recipients
        return [key] if size == 1 or recipients is None else members(key, size, recipients)

    def _store(self, request: Request, ordinal: int, box: Box) -> None:
        visit = child_visit(request.visit, ordinal)
        job = Request(request.number, request.attempt, self._spec.endpoint, request.key, visit, background=True)
        if box.length >= self._capacity:
            if self._spec.overflow == "reject":
                self._log.event(self._name, "refused", self._clock.now, request=job.number, recipient=box.recipient)
                return
            oldest = box.take()
            self._lose(oldest, "dropped", box)
        message = Message(job=job, stay=self._log.open_visit(job, self._name, -1, self._clock.now))
        box.put(message)
        self._count(+1)
        if self._expires:
            Timer(self._clock, self._spec.retention, Order.EXPIRY, lambda _: self._expire(message, box))
        self._go_on(box)

    def _go_on(self, box: Box) -> None:
        """Deliver the next message if the recipient is online, or else when it comes back."""
        if box.out or box.planned or not box.length:
            return
        online, until_s = self._attendance.at(box.recipient, self._clock.now)
        if not online:
            self._plan(box, until_s - self._clock.now)
            return
        ready = self._fleet.ready
        if not ready:
            self._unserved[box.recipient] = box
            return
        box.out = True
        message = box.take()
        server = ready[splitmix64(box.recipient) % len(ready)]
        self._clock.process(self._deliver(message, box, server, until_s))

    def _deliver(self, message: Message, box: Box, server: Member, until_s: float) -> Handling:
        job, stay = message.job, message.stay
        stay.admit(self._clock.now)
        stay.replica = server.index
        visit = child_visit(job.visit, message.deliveries)
        message.deliveries += 1
        outcome = yield from server.handle(Request(job.number, job.attempt, job.operation, job.key, visit, True))
        box.out = False
        if outcome is Outcome.OK and self._clock.now <= until_s:
            stay.close(self._clock.now, Outcome.OK)
            self._count(-1)
            self._go_on(box)
            return Outcome.OK
        stay.close(self._clock.now, Outcome.TIMEOUT if outcome is Outcome.OK else Outcome.ERROR)
        message.stay = self._log.open_visit(job, self._name, -1, self._clock.now)
        box.put_back(message)
        self._note("redelivery", message, box)
        if self._clock.now <= until_s:
            self._plan(box, self._spec.retry_after)
        self._go_on(box)
        return Outcome.ERROR

    def _plan(self, box: Box, delay_s: float) -> None:
        def then(_: object) -> None:
            box.planned = False
            self._go_on(box)

        box.planned = True
        Timer(self._clock, delay_s, Order.COMPLETION, then)

    def _follow(self, member: Member) -> None:
        if member.life is Life.READY:
            unserved, self._unserved = self._unserved, {}
            for box in unserved.values():
                self._go_on(box)

    def _expire(self, message: Message, box: Box) -> None:
        """Delete a message that still waits; one that is being delivered may be acknowledged in time."""
        if not message.gone and message in box.waiting:
            box.lose(message)
            self._lose(message, "expired", box)

    def _lose(self, message: Message, kind: str, box: Box) -> None:
        message.gone = True
        message.stay.turn_away(self._clock.now, Outcome.REJECTED)
        self._count(-1)
        self._note(kind, message, box)

    def _count(self, change: int) -> None:
        self._stored += change
        self._log.gauge(self._name, -1, "stored", self._clock.now, self._stored)

    def _note(self, kind: str, message: Message, box: Box) -> None:
        self._log.event(
            self._name, kind, self._clock.now, request=message.job.number, attempt=message.job.attempt,
            recipient=box.recipient,
        )  # fmt: skip
