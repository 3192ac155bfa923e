"""One consumer of a stream: the poll loop in one replica of the consuming service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lab.randomness import child_visit
from lab.scenario.stream import Stream as Spec
from lab.simulation.clock import Clock, Handover
from lab.simulation.fleet import Life, Member
from lab.simulation.log import Log, Visit
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.stream.partition import Partition, Partitions, Record
from lab.simulation.stream.session import Session, later
from lab.simulation.variate import Variate


class Coordinator(Protocol):
    """What a consumer says to its group."""

    def join(self, consumer: Consumer, why: str) -> None:
        """Come, or join anew."""
        ...

    def leave(self, consumer: Consumer) -> None:
        """Say good-bye."""
        ...

    def expel(self, consumer: Consumer, why: str) -> None:
        """Be counted out."""
        ...

    def calls(self, consumer: Consumer) -> bool:
        """Ask whether to join anew."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What all consumers of a stream share.

    Attributes:
        name: the stream's.
        poll_time: drawn times of batches; None where they are always 0.
    """

    clock: Clock
    log: Log
    name: str
    spec: Spec
    partitions: Partitions
    poll_time: Variate | None


class Consumer:
    """Polls, works on what it got, and polls again; what it has worked on it commits at a poll.

    ::

        member --polls--> has a batch --works on it, record by record--> member
          |  ^               |
          |  `-- joins when  |-- batch takes longer than max_poll_interval --.
          |      it is done  |                                               v
          |      with it ----|------------------------------------------- expelled
          |                  |                                               ^
          |-- process frozen or dead for session_timeout --------------------'
          |
          `-- process drains: ends the record in hand, commits, leaves

    One that is expelled works on what it has in hand, and so does the partition's next owner: at least once.
    """

    def __init__(self, *, reading: Reading, member: Member, group: Coordinator) -> None:
        self._reading = reading
        self._clock = reading.clock
        self._spec = reading.spec
        self._member = member
        self._group = group
        self.index = member.index
        self.owned: list[Partition] = []
        self._given_up: tuple[Partition, ...] = ()
        self._next = 0  # whose turn it is among those owned
        self._called = self._leaving = self._left = self._dead = self._expelled = False
        self._idle: Handover | None = None
        self._commit_due_s = self._clock.now + self._spec.commit_interval
        self._commit_planned = False
        self._session = Session(
            clock=self._clock, spec=self._spec, member=member, heard=self._hear, lost=self._be_expelled
        )

    def start(self) -> None:
        """Begin to be heard of, and to poll."""
        self._session.start()
        self._clock.process(self._run())

    def receive(self, new: list[Partition], given_up: tuple[Partition, ...]) -> None:
        """Read more partitions from now on, and give some up at the next poll."""
        for partition in new:
            self._reading.partitions.give(partition, self)
        self.owned = sorted((*self.owned, *new), key=lambda partition: partition.number)
        self._given_up = given_up
        self.wake()

    def lose_all(self) -> None:
        """Own nothing any more: the coordinator has seen to the partitions."""
        self.owned, self._given_up = [], ()
        self._expelled = not self._left
        self._called = False

    def wake(self) -> None:
        """Look again whether there is something to do."""
        if self._idle is not None and not self._idle.triggered:
            self._idle.give(None)

    def follow(self, life: Life) -> None:
        """Take notice that the life of its process has changed."""
        if life is Life.DRAINING:
            self._leaving = True
        elif life is Life.GONE and (not self._leaving or self._member.under_way):
            self._dead = True
            self._session.die()
        self.wake()

    def _run(self) -> Handling:
        while not self._dead:
            if self._leaving:
                self._say_good_bye()
                return Outcome.OK
            self._keep_in_step()
            batch = self._poll()
            if batch:
                yield from self._work_off(batch)
            else:
                self._idle = Handover(self._clock)
                yield self._idle
                self._idle = None
        return Outcome.ERROR

    def _keep_in_step(self) -> None:
        """At a poll: commit if it is time, give up what is another's, join anew if called."""
        if self._member.frozen:
            return
        if self._expelled:
            self._expelled = False
            self._group.join(self, "join")
        if self._clock.now >= self._commit_due_s:
            self._commit()
        joins = self._called or bool(self._given_up)
        if self._called and self._spec.rebalance == "eager":
            self._let_go(tuple(self.owned))
        elif self._given_up:
            self._let_go(self._given_up)
        self._called, self._given_up = False, ()
        if joins:
            self._group.join(self, "revoke")  # or because it was called

    def _let_go(self, partitions: tuple[Partition, ...]) -> None:
        self._commit()
        for partition in partitions:
            self._reading.partitions.take(partition)
        self.owned = [partition for partition in self.owned if partition not in partitions]

    def _commit(self) -> None:
        self._reading.partitions.commit(self.owned)
        self._commit_due_s = self._clock.now + self._spec.commit_interval

    def _poll(self) -> list[Record]:
        """Return the next batch: from one partition after the other, beginning after the last one polled."""
        room, batch = self._spec.max_poll_records, list[Record]()
        first, count = self._next, len(self.owned)
        for turn in range(count):
            partition = self.owned[(first + turn) % count]
            if partition.position < len(partition.records):
                batch += partition.poll(room - len(batch))
                self._next = (first + turn + 1) % count
                if len(batch) == room:
                    break
        if not batch:
            self._plan_commit()
        return batch

    def _plan_commit(self) -> None:
        """See to it that a consumer that has nothing to do commits too."""
        if not self._commit_planned and any(partition.processed for partition in self.owned):
            self._commit_planned = True
            later(self._clock, self._commit_due_s - self._clock.now, self._commit_if_idle)

    def _commit_if_idle(self) -> None:
        self._commit_planned = False
        if self._idle is None or self._dead or self._member.frozen:
            return  # it will, at its next poll
        if self._clock.now >= self._commit_due_s:
            self._commit()
        else:
            self._plan_commit()

    def _work_off(self, batch: list[Record]) -> Handling:
        self._session.begin_batch()
        yield from self._fetch(batch[0])
        for record in batch:
            if self._dead or self._leaving:
                break
            yield from self._process(record)
        self._session.end_batch()
        if self._spec.commit_interval == 0 and not self._dead:
            self._commit()
        return Outcome.OK

    def _fetch(self, first: Record) -> Handling:
        reading = self._reading
        if reading.poll_time is not None:
            row = reading.log.open_visit(first.job, f"{reading.name}.poll", self.index, self._clock.now)
            row.admit(self._clock.now)
            row.service_time_s = time_s = reading.poll_time(first.job, first.deliveries)
            yield self._clock.timeout(time_s)
            row.close(self._clock.now, Outcome.ERROR if self._dead else Outcome.OK)
        return Outcome.OK

    def _process(self, record: Record) -> Handling:
        """Do the record's work until it succeeds, or has failed too often."""
        stay, outcome, job = self._begin(record), Outcome.ERROR, record.job
        for _ in range(self._spec.max_attempts):
            visit = child_visit(job.visit, record.deliveries)
            record.deliveries += 1
            outcome = yield from self._member.handle(
                Request(job.number, job.attempt, job.operation, job.key, visit, background=True)
            )
            if outcome is Outcome.OK or self._dead:
                break
        self._end(record, stay, outcome)
        return outcome

    def _begin(self, record: Record) -> Visit | None:
        """Return the row of the stay that ends with this work.

        None for one that was counted out, and works on what its successor has already begun.
        """
        if record.begun:
            if record.partition.owner is not self:
                return None
            self._reading.partitions.deliver_again(record)  # one that was counted out was quicker
        record.stay.admit(self._clock.now)
        record.stay.replica = self.index
        return record.stay

    def _end(self, record: Record, stay: Visit | None, outcome: Outcome) -> None:
        succeeded = outcome is Outcome.OK
        if stay is not None and stay.outcome is Outcome.IN_FLIGHT:
            stay.close(self._clock.now, Outcome.OK if succeeded else Outcome.ERROR)
        if record.processed and succeeded:
            self._note("processed_again", record)
        record.processed |= succeeded
        if self._dead:
            return
        if not succeeded:
            self._note("dead_letter", record)
        if record.partition.owner is self:
            record.partition.processed += 1

    def _say_good_bye(self) -> None:
        self._session.end()
        self._left = True
        if not self._expelled:
            self._commit()
            self._group.leave(self)

    def _hear(self) -> None:
        """At a heartbeat: learn whether to join anew."""
        self._called |= not self._expelled and self._group.calls(self)
        self.wake()

    def _be_expelled(self, why: str) -> None:
        if not self._expelled:
            self._group.expel(self, why)

    def _note(self, kind: str, record: Record) -> None:
        reading, job = self._reading, record.job
        reading.log.event(
            reading.name, kind, self._clock.now, request=job.number, attempt=job.attempt, deliveries=record.deliveries
        )
