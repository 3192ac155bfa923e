"""Several lists of steps at once of which not all are waited for, or not for ever."""

from __future__ import annotations

from dataclasses import dataclass

from simpy import Interrupt
from simpy.events import Process

from lab.runs.answers import PARALLEL
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.event_loop import Loop
from lab.simulation.log import Log, Visit
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.steps import Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When a fan-out goes on, and how.

    Attributes:
        wanted: good branches that make a full answer.
        width: branches in all.
        eager: whether it goes on as soon as the answer is full, or can no longer be.
        partial: whether fewer good branches, if there is one, are an answer too.
        timeout_s: after which time a branch counts as failed; None: never.
    """

    wanted: int
    width: int
    eager: bool
    partial: bool
    timeout_s: float | None

    def is_decided(self, *, good: int, failed: int) -> bool:
        """Whether nothing more is waited for.

        >>> two_of_three = Rule(wanted=2, width=3, eager=True, partial=False, timeout_s=None)
        >>> two_of_three.is_decided(good=2, failed=0), two_of_three.is_decided(good=1, failed=1)
        (True, False)
        """
        left = self.width - good - failed
        if left == 0 or not self.eager:
            return left == 0
        return good >= self.wanted or (not self.partial and good + left < self.wanted)

    def ends(self, good: int) -> str:
        """Return how it ends with so many good branches: ``full``, ``partial`` or ``failed``."""
        if good >= self.wanted:
            return "full"
        return "partial" if self.partial and good > 0 else "failed"


class Tally:
    """Which branches of one fan-out have ended, until that decides.

    Attributes:
        over: happens when nothing more is waited for; what ends at that very time still counts.
        late: whether the time was up before all had ended.
    """

    def __init__(self, clock: Clock, rule: Rule) -> None:
        self._rule = rule
        self._failed = 0
        self.good = 0
        self.late = False
        self.over = clock.event()

    def note(self, outcome: Outcome) -> None:
        """Count a branch that has ended, if that is still waited for."""
        if self.late:
            return
        self.good += outcome is Outcome.OK
        self._failed += outcome is not Outcome.OK
        if not self.over.triggered and self._rule.is_decided(good=self.good, failed=self._failed):
            self.over.succeed()

    def expire(self) -> None:
        """Count whatever has not ended as failed."""
        if self.good + self._failed < self._rule.width:
            self.late = True
        if not self.over.triggered:
            self.over.succeed()


class Tasks:
    """The tasks of one process that may outlast the request that began them; they end with the process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._running: dict[Process, None] = {}  # in the order of their start

    def start(self, work: Handling) -> None:
        """Begin a task."""
        process = self._clock.process(work)
        self._running[process] = None
        process.callbacks.append(lambda _: self._running.pop(process))

    def end_all(self) -> None:
        """End them all at once: the process died."""
        for process in list(self._running):
            if process.is_alive:
                process.defused = True  # a task that had not begun cannot catch it
                process.interrupt("the process died")


class FanOut:
    """Does branches at once and goes on as its rule has it; the others work on, though nobody waits for them.

    ::

        begins --> all branches at once --enough are good---------------------> full, goes on
                         |  `--too few are, or can be--some good, partial?----> partial, goes on
                         |             `------------------------------no------> failed
                         `--timeout: those still under way have failed, as above

    A branch that has not ended then keeps its place on the event loop, its connections and whatever it has asked of
    others, and does its remaining steps. Its row ends when it does: with a timeout if it was late.
    """

    def __init__(
        self,
        *,
        place: tuple[Clock, Log],
        named: tuple[str, int],
        event_loop: Loop,
        tasks: Tasks,
        rule: Rule,
        branches: tuple[Steps, ...],
    ) -> None:
        self._clock, self._log = place
        self._name, self._index = named
        self._event_loop = event_loop
        self._tasks = tasks
        self._rule = rule
        self._branches = branches

    def run(self, request: Request, visit: Visit) -> Handling:
        """Start every branch, and wait until it is decided how this ends."""
        clock, rule, tally = self._clock, self._rule, Tally(self._clock, self._rule)
        row = self._log.open_visit(request, f"{self._name}{PARALLEL}", self._index, clock.now)
        row.operation = "parallel"
        row.admit(clock.now)
        for branch in self._branches:
            # Each branch is a task of its own, which competes for the event loop with the others.
            self._tasks.start(self._run(branch, request.child(request.operation, request.visit), tally))
        if rule.timeout_s is not None:
            Timer(clock, rule.timeout_s, Order.EXPIRY, lambda _: tally.expire())
        try:
            yield tally.over
        except Interrupt:  # the process died, and all its tasks with it
            row.operation, row.hit = "failed", False
            row.close(clock.now, Outcome.ERROR)
            raise
        row.operation = rule.ends(tally.good)
        row.hit = row.operation == "full"
        return row.close(clock.now, Outcome.ERROR if row.operation == "failed" else Outcome.OK)

    def _run(self, branch: Steps, task: Request, tally: Tally) -> Handling:
        row = self._log.open_visit(task, f"{self._name}.branches", self._index, self._clock.now)
        row.operation = "branch"
        row.admit(self._clock.now)
        try:
            yield from self._event_loop.resume(task)
            outcome = yield from branch.run(task, row)
        except Interrupt:  # the process died
            return row.close(self._clock.now, Outcome.ERROR)
        self._event_loop.suspend(task)
        tally.note(outcome)
        return row.close(self._clock.now, Outcome.TIMEOUT if tally.late else outcome)
