"""A host: a number of cores that processes share by turns."""

from __future__ import annotations

import math
from collections import deque
from enum import StrEnum

from simpy.events import Event

from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.log import Log, Visit
from lab.simulation.processor import INSTANT_S, Job
from lab.simulation.request import Outcome


class State(StrEnum):
    """Where a process stands with its host."""

    IDLE = "idle"
    READY = "ready"
    RUNNING = "running"
    LINGERING = "lingering"


class Hosted:
    """One process of a host; to its interpreter it is a processor.

    ::

        idle --begins a job--> a core is free? --yes--> running --its job ends--> lingering --nothing follows--> idle
                                   | no                 |   ^  ^                       |
                                   v    <---turn over---'   |  `-- next job, same time-'
                                 ready ---a core gets free--'

    A process keeps its core from one job to the next if no time passes between them; frozen, it leaves it.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._frozen = False
        self.state = State.IDLE
        self.job: Job | None = None
        self.row: Visit | None = None
        self.waited_s = 0.0  # for cores, until now
        self.turn_ends_s = 0.0

    def begin(self, job: Job) -> None:
        """Compute the job as soon as there is a core for it."""
        self.job = job
        if not self._frozen:
            self._host.wake(self)

    def shorten(self, cpu_time_s: float) -> bool:
        """Let the present job end after at most so much more CPU time; return whether that is sooner."""
        job = self.present
        job.settle(self._host.now_s)
        if job.left_s <= cpu_time_s + INSTANT_S:
            return False
        job.left_s = cpu_time_s
        if self.state is State.RUNNING:
            self._host.compute(self)
        return True

    def halt(self) -> None:
        """Drop the present job and let go of the core: the process has died."""
        self._host.remove(self, Outcome.ERROR)
        self.job = None

    def freeze(self) -> None:
        """Compute nothing until it thaws, and hold no core."""
        self._frozen = True
        self._host.remove(self, Outcome.OK)

    def thaw(self) -> None:
        """Go on where it was frozen."""
        self._frozen = False
        if self.job is not None:
            self._host.wake(self)

    @property
    def present(self) -> Job:
        """The job that it has begun."""
        assert self.job is not None  # who asks has begun one
        return self.job


class Host:
    """Gives the processes that have something to compute its cores in turns of ``quantum_s``, round robin.

    A turn that is over goes on if nobody else is ready, and is looked at again a quantum later, as Linux's scheduler
    (EEVDF) does: who gets ready waits for the rest of somebody's slice. With a very small quantum all ready processes
    compute at once, equally slowly (processor sharing); with a very large one they are served first come, first served.
    A switch of processes costs nothing, all processes weigh the same, and any core will do.

    Its rows, operation ``turn``: one for each turn of a process and each job in it: how long the process waited for
    a core (of all, hence one number for all of them: 0, or that of the machine that has them for itself), and then
    had it. The CPU time itself is in the row of whoever computed.
    """

    def __init__(self, *, clock: Clock, log: Log, name: str, cores: int, quantum_s: float, index: int = 0) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._index = index
        self._free = cores
        self._quantum_s = quantum_s
        self._ready: deque[Hosted] = deque()
        self._running: dict[Hosted, None] = {}  # in the order in which they got their cores

    def process(self) -> Hosted:
        """Return a new process of this host."""
        return Hosted(self)

    @property
    def now_s(self) -> float:
        """The time on the clock."""
        return self._clock.now

    def wake(self, process: Hosted) -> None:
        """Let a process compute its job as soon as a core is free."""
        self._open_row(process)
        if process.state is State.LINGERING and not (self._ready and self._left_of_turn_s(process) == 0):
            self._run(process)
        elif process.state is State.LINGERING:
            self._to_the_end(process)
            self._free_core()
        elif self._free > 0:
            self._free -= 1
            self._begin_turn(process)
        else:
            self._to_the_end(process)
            if len(self._ready) == 1:  # until now, nobody had to make room
                for running in self._running:
                    running.present.settle(self._clock.now)
                    self.compute(running)

    def remove(self, process: Hosted, outcome: Outcome) -> None:
        """Take a process off its core, or out of those who wait for one, its job settled."""
        was, process.state = process.state, State.IDLE
        if was is State.READY:
            self._ready.remove(process)
            self._row(process).turn_away(self._clock.now, outcome)
            process.waited_s += self._row(process).waiting_time_s
        elif was is State.RUNNING:
            process.present.settle(self._clock.now)
            process.present.alarm = None
            del self._running[process]
            self._row(process).close(self._clock.now, outcome)
        if was in (State.RUNNING, State.LINGERING):
            self._free_core()

    def compute(self, process: Hosted) -> None:
        """Set the alarm of a process that is on a core to the end of its job, or of its turn if others are ready."""
        job = process.present
        time_s, ring = job.left_s, self._finish
        if self._ready and (turn_s := self._left_of_turn_s(process)) < job.left_s - INSTANT_S:
            time_s, ring = turn_s, self._end_turn
        job.since_s = self._clock.now
        job.alarm = Timer(self._clock, time_s, Order.COMPLETION, lambda alarm: ring(process, alarm))

    def _begin_turn(self, process: Hosted) -> None:
        process.turn_ends_s = self._clock.now + self._quantum_s
        self._run(process)

    def _run(self, process: Hosted) -> None:
        process.state = State.RUNNING
        self._running[process] = None
        self._row(process).admit(self._clock.now)
        process.waited_s += self._row(process).waiting_time_s
        self.compute(process)

    def _finish(self, process: Hosted, alarm: Event) -> None:
        job = process.job
        if job is not None and job.alarm is alarm:  # an older alarm is out of date
            self._row(process).close(self._clock.now, Outcome.OK)
            del self._running[process]
            process.state = State.LINGERING
            process.job = None
            Timer(self._clock, 0.0, Order.EXPIRY, lambda _: self._leave(process))
            job.finish()

    def _leave(self, process: Hosted) -> None:
        if process.state is State.LINGERING:
            process.state = State.IDLE
            self._free_core()

    def _end_turn(self, process: Hosted, alarm: Event) -> None:
        job = process.job
        if job is None or job.alarm is not alarm:
            return
        job.settle(self._clock.now)
        if self._ready:
            job.alarm = None
            self._row(process).close(self._clock.now, Outcome.OK)
            del self._running[process]
            self._open_row(process)
            self._to_the_end(process)
            self._free_core()
        else:  # those who were ready have died or been frozen
            self.compute(process)

    def _free_core(self) -> None:
        if self._ready:
            self._begin_turn(self._ready.popleft())
        else:
            self._free += 1

    def _to_the_end(self, process: Hosted) -> None:
        process.state = State.READY
        self._ready.append(process)

    def _left_of_turn_s(self, process: Hosted) -> float:
        late_s = self._clock.now - process.turn_ends_s
        if late_s > INSTANT_S:  # nobody was ready then: it has had further turns since
            process.turn_ends_s += self._quantum_s * math.ceil((late_s - INSTANT_S) / self._quantum_s)
        left_s = process.turn_ends_s - self._clock.now
        return left_s if left_s > INSTANT_S else 0.0

    def _open_row(self, process: Hosted) -> None:
        process.row = self._log.open_visit(process.present.request, self._name, self._index, self._clock.now)
        process.row.operation = "turn"

    def _row(self, process: Hosted) -> Visit:
        assert process.row is not None  # it was opened when the process got ready
        return process.row
