"""The partitions of a stream: records in order, how far they are committed, and who reads them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from lab.randomness import splitmix64
from lab.simulation.clock import Clock
from lab.simulation.log import Log, Visit
from lab.simulation.request import Outcome, Request

if TYPE_CHECKING:
    from lab.simulation.stream.consumer import Consumer


class Record:
    """What one publishing left behind.

    Attributes:
        job: the request that a consumer is sent.
        stay: the row of its present stay: until its work has ended, or was ended by somebody's death.
        deliveries: how often its work was begun.
        processed: whether its work ever succeeded.
    """

    __slots__ = ("deliveries", "job", "partition", "processed", "stay")

    def __init__(self, *, job: Request, partition: Partition, stay: Visit) -> None:
        self.job = job
        self.partition = partition
        self.stay = stay
        self.deliveries = 0
        self.processed = False

    @property
    def begun(self) -> bool:
        """Whether the work of its present stay was begun."""
        return not math.isnan(self.stay.admitted_s)


class Partition:
    """One line of records.

    ::

        committed          position                end
            |--- processed ---|--- polled ---|-------|

    Attributes:
        records: those from the first one that is not committed on.
        processed: of those, how many its owner has worked on.
        position: of those, how many its owner has polled.
        owner: the consumer that reads it, or None while it has none.
    """

    __slots__ = ("number", "owner", "position", "processed", "records")

    def __init__(self, number: int) -> None:
        self.number = number
        self.records: deque[Record] = deque()
        self.processed = 0
        self.position = 0
        self.owner: Consumer | None = None

    @property
    def lag(self) -> int:
        """End offset - committed offset."""
        return len(self.records)

    def poll(self, most: int) -> list[Record]:
        """Return the next records, which are polled now."""
        batch = list(islice(self.records, self.position, self.position + most))
        self.position += len(batch)
        return batch

    def commit(self) -> None:
        """Forget what the owner has worked on."""
        for _ in range(self.processed):
            self.records.popleft()
        self.position -= self.processed
        self.processed = 0


class Partitions:
    """All partitions of a stream, with what is noted about them.

    Gauges: ``lag`` (of all), ``lag_hottest`` (of the partition that lags most), and ``partitions_unread`` (that no
    consumer owns). Events: ``redelivery``, of a record whose work is done again.
    """

    def __init__(self, *, clock: Clock, log: Log, name: str, count: int) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._lag = self._hottest = 0
        self._unread = count
        self.all = tuple(Partition(number) for number in range(count))
        self._note_lag()
        self._gauge("partitions_unread", count)

    def __iter__(self) -> Iterator[Partition]:
        return iter(self.all)

    def append(self, job: Request) -> Partition:
        """Keep one more record, in the partition of its key; return that."""
        # A hash of the key, as Kafka's producers take it (theirs is murmur2).
        partition = self.all[splitmix64(job.key) % len(self.all)]
        stay = self._log.open_visit(job, self._name, -1, self._clock.now)
        partition.records.append(Record(job=job, partition=partition, stay=stay))
        self._lag += 1
        self._hottest = max(self._hottest, partition.lag)
        self._note_lag()
        return partition

    def commit(self, partitions: list[Partition]) -> None:
        """Commit what the owner of these partitions has worked on."""
        hottest = False
        for partition in partitions:
            if partition.processed:
                hottest |= partition.lag == self._hottest
                self._lag -= partition.processed
                partition.commit()
        if hottest:
            self._hottest = max(partition.lag for partition in self.all)
        self._note_lag()

    def give(self, partition: Partition, owner: Consumer) -> None:
        """Let a consumer read the partition, from the last commit on."""
        partition.owner = owner
        partition.position = partition.processed = 0
        self._unread -= 1
        self._gauge("partitions_unread", self._unread)
        for record in partition.records:
            if not record.begun:
                break  # nobody reads beyond what nobody has begun
            self.deliver_again(record)

    def take(self, partition: Partition) -> None:
        """Let nobody read the partition."""
        partition.owner = None
        self._unread += 1
        self._gauge("partitions_unread", self._unread)

    def deliver_again(self, record: Record) -> None:
        """Begin a new stay of a record whose work was begun in its last one."""
        now_s, job = self._clock.now, record.job
        if record.stay.outcome is Outcome.IN_FLIGHT:  # in the hands of a consumer that lost the partition
            record.stay.close(now_s, Outcome.TIMEOUT)
        record.stay = self._log.open_visit(job, self._name, -1, now_s)
        self._log.event(
            self._name, "redelivery", now_s, request=job.number, attempt=job.attempt, deliveries=record.deliveries
        )

    def _note_lag(self) -> None:
        self._gauge("lag", self._lag)
        self._gauge("lag_hottest", self._hottest)

    def _gauge(self, name: str, value: int) -> None:
        self._log.gauge(self._name, -1, name, self._clock.now, value)
