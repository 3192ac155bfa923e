"""The Python interpreter of a process: of all its threads, one computes at a time (the GIL)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator

from simpy import Interrupt
from simpy.events import Event

from lab.simulation.clock import Clock, Handover
from lab.simulation.log import Log, Visit
from lab.simulation.processor import INSTANT_S, Job, Processor
from lab.simulation.request import Handling, Outcome, Request


class Stretch:
    """A stretch of computing that a thread wants done.

    Attributes:
        who: the thread: the event loop, or the request that a thread of the pool works on.
        left_s: CPU time that it still needs.
        turn: the row that tells how long it waited for the interpreter, and then had it.
    """

    __slots__ = ("left_s", "over", "request", "turn", "who")

    def __init__(self, who: object, request: Request, cpu_time_s: float, over: Handover) -> None:
        self.who = who
        self.request = request
        self.left_s = cpu_time_s
        self.over = over
        self.turn: Visit | None = None


class Interpreter:
    """Lets one thread compute at a time, on the processor that it is given.

    ::

        wants to compute --> nobody has the GIL? --yes--> has it, computes --> lets go when it awaits or blocks
                                    | no                     |
                                    `--> waits (FIFO) <------'
                                         its turn is over and others wait

    A thread must let go ``switch_interval_s`` after somebody began to wait for it (sys.setswitchinterval) and queue
    behind the others: processor sharing with quanta. Alone, it is never interrupted, and within its turn it goes on
    from one stretch of computing to the next. The interval counts CPU time of the process; CPython's counts time on
    the clock, which differs only on a busy host.

    The process may be frozen and thawed (SIGSTOP, SIGCONT), and slowed down: a stretch that begins meanwhile takes
    ``factor`` times as long.

    Its rows: ``NAME.gil``, one a turn (only where there are threads); ``NAME.process``, operation ``stopped``, for a
    stretch of computing that stands still in a frozen process.
    """

    def __init__(
        self, *, clock: Clock, log: Log, name: str, index: int, processor: Processor, switch_interval_s: float | None
    ) -> None:
        """Make it; ``switch_interval_s`` is None where no thread but the event loop ever computes."""
        self._clock = clock
        self._log = log
        self._name = name
        self._index = index
        self._processor = processor
        self._threaded = switch_interval_s is not None
        self._interval_s = math.inf if switch_interval_s is None else switch_interval_s
        self._waiting: deque[Stretch] = deque()
        self._holder: object | None = None  # the thread that has the GIL
        self._turn: Visit | None = None
        self._budget_s = math.inf  # CPU time that the holder has before it must let go
        self._stretch: Stretch | None = None  # what the holder computes, and as which job
        self._job: Job | None = None
        self._cut = False  # whether the job is less than the stretch
        self._frozen = False
        self._stopped: Visit | None = None
        self._spent_s = 0.0  # on jobs that are no more
        self._beside: dict[Job, Processor] = {}  # what threads compute that have let go of the GIL
        self.factor = 1.0

    @property
    def idle(self) -> bool:
        """Whether no thread of the process computes, beside the GIL neither."""
        return self._holder is None and not self._beside

    @property
    def cpu_time_s(self) -> float:
        """CPU time that the process has used until now."""
        jobs = [*self._beside, *([] if self._job is None else [self._job])]
        return self._spent_s + sum(job.used_until_s(self._clock.now) for job in jobs)

    def compute(self, who: object, request: Request, visit: Visit, cpu_time_s: float) -> Handling:
        """Compute for a thread, which has the GIL afterwards; the CPU time is added to the visit's own."""
        total_s = cpu_time_s * self.factor
        if total_s == 0:
            return (yield from self.acquire(who, request))
        stretch = Stretch(who, request, total_s, Handover(self._clock))
        try:
            yield from self._do(stretch)
        except Interrupt:
            visit.service_time_s += total_s - stretch.left_s
            raise
        visit.service_time_s += total_s
        return Outcome.OK

    def acquire(self, who: object, request: Request) -> Handling:
        """Get the GIL back for a thread that was waiting for something else, if another one has it."""
        if self.must_wait(who):
            yield from self._do(Stretch(who, request, 0.0, Handover(self._clock)))
        return Outcome.OK

    def must_wait(self, who: object) -> bool:
        """Whether this thread cannot go on at once, even without computing."""
        return self._frozen or self._holder not in (None, who)

    def release(self, who: object) -> None:
        """Let others compute if this thread has the GIL, as it is about to wait for something else."""
        if self._holder is who:
            self._end_turn(Outcome.OK)

    def compute_beside(self, job: Job, processor: Processor) -> None:
        """Compute a job of a thread that has let go of the GIL, on a processor of its own."""
        self._beside[job] = processor
        if self._frozen:
            processor.freeze()
        processor.begin(job)

    def end_beside(self, job: Job, processor: Processor) -> None:
        """Count what such a job has used, now that it is over or was halted."""
        del self._beside[job]
        self._spent_s += job.used_s

    def freeze(self) -> None:
        """Stop computing, in the middle of a stretch too."""
        self._frozen = True
        for processor in (self._processor, *self._beside.values()):
            processor.freeze()
        self._stand_still()

    def thaw(self) -> None:
        """Go on where it was stopped."""
        self._frozen = False
        self._move_on(Outcome.OK)
        for processor in (self._processor, *self._beside.values()):
            processor.thaw()

    def _do(self, stretch: Stretch) -> Generator[Event, object, None]:
        self._want(stretch)
        try:
            yield stretch.over
        except Interrupt:
            self._abort(stretch)
            raise

    def _want(self, stretch: Stretch) -> None:
        if self._holder is stretch.who and self._budget_s > INSTANT_S:
            self._compute(stretch)
            return
        if self._threaded:
            stretch.turn = self._log.open_visit(stretch.request, f"{self._name}.gil", self._index, self._clock.now)
            stretch.turn.operation = "turn"
        self._waiting.append(stretch)
        if self._holder is stretch.who:  # its turn was over with its last stretch
            self._end_turn(Outcome.OK)
        elif self._holder is None:
            self._give_turn()
        elif len(self._waiting) == 1:
            self._ask_to_let_go()

    def _ask_to_let_go(self) -> None:
        """Give the holder, who was alone until now, one more interval."""
        self._budget_s = self._interval_s
        if self._job is not None:
            self._cut |= self._processor.shorten(self._interval_s)
            self._budget_s += self._job.used_s

    def _give_turn(self) -> None:
        if self._waiting:
            stretch = self._waiting.popleft()
            self._holder, self._turn = stretch.who, stretch.turn
            self._budget_s = self._interval_s if self._waiting else math.inf
            if self._turn is not None:
                self._turn.admit(self._clock.now)
            self._compute(stretch)

    def _end_turn(self, outcome: Outcome) -> None:
        if self._turn is not None:
            self._turn.close(self._clock.now, outcome)
        self._holder = self._turn = None
        self._give_turn()

    def _compute(self, stretch: Stretch) -> None:
        self._stretch = stretch
        self._cut = self._budget_s < stretch.left_s - INSTANT_S
        self._job = Job(stretch.request, self._budget_s if self._cut else stretch.left_s, self._ended)
        if self._frozen:
            self._stand_still()
        if stretch.left_s == 0 and not self._frozen:
            self._job.finish()
        else:
            self._processor.begin(self._job)

    def _ended(self, job: Job) -> None:
        """Go on after a job: the stretch is over, or it waits for its next turn."""
        stretch = self._stretch
        assert stretch is not None
        self._stretch = self._job = None
        self._spent_s += job.used_s
        self._budget_s -= job.used_s
        if self._cut:
            stretch.left_s -= job.used_s
            self._budget_s = 0.0
            self._want(stretch)
        else:
            stretch.left_s = 0.0
            stretch.over.give(None)

    def _abort(self, stretch: Stretch) -> None:
        """Leave nothing behind of a stretch whose process has died."""
        if self._stretch is stretch and self._job is not None:
            self._processor.halt()
            stretch.left_s -= self._job.used_s
            self._spent_s += self._job.used_s
            self._stretch = self._job = None
            self._move_on(Outcome.ERROR)
        if self._holder is stretch.who:
            self._end_turn(Outcome.ERROR)
        elif stretch in self._waiting:
            self._waiting.remove(stretch)
            if stretch.turn is not None:
                stretch.turn.turn_away(self._clock.now, Outcome.ERROR)

    def _stand_still(self) -> None:
        if self._job is not None and self._stopped is None:
            now_s = self._clock.now
            self._stopped = self._log.open_visit(self._job.request, f"{self._name}.process", self._index, now_s)
            self._stopped.operation = "stopped"

    def _move_on(self, outcome: Outcome) -> None:
        if self._stopped is not None:
            self._stopped.turn_away(self._clock.now, outcome)
            self._stopped = None
