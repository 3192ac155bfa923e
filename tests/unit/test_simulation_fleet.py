"""Processes boot, serve, drain and die; what is under way in them ends as in a real one."""

from __future__ import annotations

from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.fleet import Fleet, Life, Member
from lab.simulation.request import Handling, Outcome, Part, Request


class Slow:
    """Works for two seconds, and notes what became of it."""

    def __init__(self, clock: Clock, finished: list[float]) -> None:
        self._clock = clock
        self._finished = finished

    def handle(self, request: Request) -> Handling:
        """Take two seconds."""
        yield self._clock.timeout(2)
        self._finished.append(self._clock.now)
        return Outcome.OK


class Asking:
    """Asks a member and notes when it answered what."""

    def __init__(self, clock: Clock, answers: list[tuple[float, Outcome]]) -> None:
        self._clock = clock
        self._answers = answers

    def ask(self, part: Part | Member) -> Handling:
        """Send one request."""
        outcome = yield from part.handle(Request(0, 0, "get", 0, 0))
        self._answers.append((self._clock.now, outcome))
        return outcome


def _fleet() -> tuple[Clock, Fleet, list[float], list[tuple[float, Outcome]]]:
    clock, finished, answers = Clock(), [], []
    return clock, Fleet(clock=clock, make=lambda _: Slow(clock, finished), mortal=True), finished, answers


def test_a_process_is_ready_after_its_boot_time() -> None:
    """Before, connections are refused; watchers hear of both steps."""
    clock, fleet, _, answers = _fleet()
    heard: list[tuple[float, Life]] = []
    fleet.watch(lambda member: heard.append((clock.now, member.life)))
    member = fleet.start(3.0)
    clock.process(Asking(clock, answers).ask(member))
    clock.run(until=10)
    assert heard == [(0, Life.BOOTING), (3, Life.READY)]
    assert answers == [(0, Outcome.ERROR)]
    assert fleet.ready == [member]


def test_draining_lets_the_work_end_first() -> None:
    """The process goes when its last answer is out; a booting one goes at once."""
    clock, fleet, finished, answers = _fleet()
    member, booting = fleet.start(), fleet.start(9.0)
    clock.process(Asking(clock, answers).ask(member))
    Timer(clock, 1.0, Order.COMPLETION, lambda _: (fleet.drain(member), fleet.drain(booting)))
    clock.run(until=1.5)
    assert (member.life, booting.life) == (Life.DRAINING, Life.GONE)
    clock.run(until=10)
    assert (member.life, booting.life) == (Life.GONE, Life.GONE)
    assert finished == [2]
    assert answers == [(2, Outcome.OK)]


def test_a_crash_ends_the_work_and_resets_the_connections() -> None:
    """Who waits gets an error at that very time; nothing of the work is finished; later ones are refused."""
    clock, fleet, finished, answers = _fleet()
    member = fleet.start()
    asking = Asking(clock, answers)
    clock.process(asking.ask(member))
    clock.process(asking.ask(member))
    Timer(clock, 1.0, Order.COMPLETION, lambda _: fleet.crash(member))
    Timer(clock, 5.0, Order.COMPLETION, lambda _: clock.process(asking.ask(member)))
    clock.run(until=10)
    assert answers == [(1, Outcome.ERROR), (1, Outcome.ERROR), (5, Outcome.ERROR)]
    assert finished == []
    assert member.life is Life.GONE


def test_work_goes_on_when_its_caller_dies() -> None:
    """A callee in another process does not notice that nobody waits for its answer any more."""
    clock, callees, finished, answers = _fleet()
    callee = callees.start()

    class Front:
        """Passes everything on."""

        def handle(self, request: Request) -> Handling:
            """Ask the callee."""
            return (yield from callee.handle(request))

    fronts = Fleet(clock=clock, make=lambda _: Front(), mortal=True)
    front = fronts.start()
    clock.process(Asking(clock, answers).ask(front))
    Timer(clock, 1.0, Order.COMPLETION, lambda _: fronts.crash(front))
    clock.run(until=10)
    assert answers == [(1, Outcome.ERROR)]
    assert finished == [2]
    assert callee.under_way == 0


def test_a_restart_is_a_new_process_at_the_old_address() -> None:
    """It has a number of its own and names whom it replaces."""
    clock, fleet, _, _ = _fleet()
    dead = fleet.start()
    fleet.crash(dead)
    restarted = fleet.start(4.0, replaces=dead)
    clock.run(until=5)
    assert (restarted.index, restarted.replaces) == (1, dead)
    assert fleet.ready == [restarted]
