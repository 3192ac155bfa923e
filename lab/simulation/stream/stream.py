"""The stream itself: takes records, and follows the processes that read them."""

from __future__ import annotations

from lab.simulation.fleet import Fleet, Life, Member
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.stream.consumer import Consumer, Reading
from lab.simulation.stream.group import Group
from lab.simulation.variate import Variate


class Stream:
    """``handle`` publishes one record; the rest happens behind the publisher's back.

    Rows: ``NAME.publish`` for each publishing; ``NAME`` for each stay of a record, from the time it could be read to
    the end of its work (ok; error: a dead letter, or its consumer died; timeout: its consumer lost the partition);
    ``NAME.poll`` for each batch where batches take time.
    """

    def __init__(self, *, reading: Reading, fleet: Fleet, publish_time: Variate) -> None:
        self._reading = reading
        self._publish_time = publish_time
        self._consumers: dict[int, Consumer] = {}
        self._group = Group(
            clock=reading.clock,
            log=reading.log,
            name=reading.name,
            spec=reading.spec,
            partitions=reading.partitions,
        )
        self._group.found([self._consumer(member) for member in fleet.ready])
        fleet.watch(self._follow)

    def handle(self, request: Request) -> Handling:
        """Publish one record about the request's key."""
        reading, clock = self._reading, self._reading.clock
        visit = reading.log.open_visit(request, f"{reading.name}.publish", 0, clock.now)
        visit.admit(clock.now)
        visit.service_time_s = time_s = self._publish_time(request)
        if time_s:
            yield clock.timeout(time_s)
        visit.close(clock.now, Outcome.OK)
        endpoint = reading.spec.endpoint
        job = Request(request.number, request.attempt, endpoint, request.key, request.visit, background=True)
        owner = reading.partitions.append(job).owner
        if owner is not None:
            owner.wake()
        return Outcome.OK

    def _consumer(self, member: Member) -> Consumer:
        consumer = Consumer(reading=self._reading, member=member, group=self._group)
        self._consumers[member.index] = consumer
        consumer.start()
        return consumer

    def _follow(self, member: Member) -> None:
        consumer = self._consumers.get(member.index)
        if consumer is not None:
            consumer.follow(member.life)
        elif member.life is Life.READY:
            self._group.join(self._consumer(member), "join")
