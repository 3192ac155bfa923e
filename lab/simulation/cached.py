"""A look-up and what a miss leads to: read-through, with or without protection against stampedes.

The protections wrap the work that a miss leads to, so each is a small step of its own.
"""

from __future__ import annotations

from simpy import Interrupt
from simpy.events import Process

from lab.randomness import child_visit
from lab.simulation.cache import Cache, Nodes
from lab.simulation.clock import Clock, Handover
from lab.simulation.event_loop import Loop
from lab.simulation.log import Log, Visit
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.steps import Runnable, Steps


class Cached:
    """Read-through: ask the cache; on a miss (or from a cache that fails) do the work."""

    def __init__(self, *, get: Runnable, work: Runnable) -> None:
        self._get = get
        self._work = work

    def run(self, request: Request, visit: Visit) -> Handling:
        """Get; on a miss do the work."""
        found = yield from self._get.run(request, visit)
        if found is Outcome.OK:
            return Outcome.OK
        return (yield from self._work.run(request, visit))


class Work:
    """The steps of a miss, and the write of what they gave."""

    def __init__(self, *, miss: Steps, store: Runnable) -> None:
        self._miss = miss
        self._store = store

    def run(self, request: Request, visit: Visit) -> Handling:
        """Do the steps and store; a cache that refuses the write spoils nothing."""
        outcome = yield from self._miss.run(request, visit)
        if outcome is Outcome.OK:
            yield from self._store.run(request, visit)
        return outcome


class Flights:
    """The misses of one process that are being worked on, by key, and who waits for them."""

    def __init__(self, *, clock: Clock, log: Log, named: tuple[str, int]) -> None:
        self._clock = clock
        self._log = log
        self._name, self._replica = named
        self._waiting: dict[int, list[Handover]] = {}

    def under_way(self, key: int) -> bool:
        """Return whether somebody works on this key."""
        return key in self._waiting

    def begin(self, key: int) -> None:
        """Note that somebody does."""
        self._waiting[key] = []

    def end(self, key: int, outcome: Outcome) -> None:
        """Give the result to all who wait, in the order in which they came."""
        for waiting in self._waiting.pop(key):
            waiting.give(outcome)

    def run(self, request: Request, visit: Visit) -> Handling:
        """Wait for the result as a step: a row ``flight`` at the cache, all of it waiting."""
        clock, result = self._clock, Handover(self._clock)
        self._waiting[request.key].append(result)
        row = self._log.open_visit(request, self._name, self._replica, clock.now)
        row.operation = "flight"
        try:
            outcome = Outcome(str((yield result)))
        except Interrupt:  # the process died
            row.turn_away(clock.now, Outcome.ERROR)
            raise
        row.admit(clock.now)
        return row.close(clock.now, outcome)


class SingleFlight:
    """One miss of a key at a time works in each process; others that miss it there wait, and share its end.

    ::

        miss --key under way?--no--> works, stores --> its outcome, also for all who joined
                    | yes                                    |
                    `----> joins, waits <--------------------+
    """

    def __init__(self, *, flights: Flights, join: Runnable, work: Runnable) -> None:
        self._flights = flights
        self._join = join
        self._work = work

    def run(self, request: Request, visit: Visit) -> Handling:
        """Do the work, or wait for whoever does it."""
        if self._flights.under_way(request.key):
            return (yield from self._join.run(request, visit))
        self._flights.begin(request.key)
        outcome = Outcome.ERROR  # unless it ends well: the process may die
        try:
            outcome = yield from self._work.run(request, visit)
        finally:
            self._flights.end(request.key, outcome)
        return outcome


class Polling:
    """Waits, looks, and again, until the key is there (OK) or patience ends (ERROR); a row ``poll`` for each wait."""

    def __init__(self, *, clock: Clock, log: Log, named: tuple[str, int], check: Runnable, poll: tuple[float, float]):
        self._clock = clock
        self._log = log
        self._name, self._replica = named
        self._check = check
        self._poll_s, self._patience_s = poll

    def run(self, request: Request, visit: Visit) -> Handling:
        """Look at least once."""
        end_s, look = self._clock.now + self._patience_s, 1
        while True:
            yield from self._pause(request)
            # Each look has an address of its own.
            asker = request.child(request.operation, child_visit(request.visit, look))
            found = yield from self._check.run(asker, visit)
            if found is Outcome.OK or self._clock.now >= end_s:
                return found
            look += 1

    def _pause(self, request: Request) -> Handling:
        visit = self._log.open_visit(request, self._name, self._replica, self._clock.now)
        visit.operation = "poll"
        try:
            yield self._clock.timeout(self._poll_s)
        except Interrupt:  # the process died
            visit.turn_away(self._clock.now, Outcome.ERROR)
            raise
        visit.admit(self._clock.now)
        return visit.close(self._clock.now, Outcome.OK)


class Locked:
    """Over all replicas one miss of a key works, under a lock in the cache; the others poll until the key is there.

    ::

        miss --lock free?--yes--> there by now? --no--> works, stores --> unlocks
                   | no                `--yes--> unlocks, served
                   `--> polls --there--> served
                          `--lock_timeout--> works itself, without the lock

    A lock whose owner died or takes too long falls by itself after ``lock_timeout``.
    """

    def __init__(self, *, lock: Runnable, unlock: Runnable, check: Runnable, polling: Runnable, work: Runnable) -> None:
        self._lock = lock
        self._unlock = unlock
        self._check = check
        self._polling = polling
        self._work = work

    def run(self, request: Request, visit: Visit) -> Handling:
        """Take the lock and do the work, or wait for whoever has it."""
        if (yield from self._lock.run(request, visit)) is not Outcome.OK:
            if (yield from self._polling.run(request, visit)) is Outcome.OK:
                return Outcome.OK
            return (yield from self._work.run(request, visit))
        # Whoever had the lock before may have stored the key since this one missed it.
        outcome = yield from self._check.run(request, visit)
        if outcome is not Outcome.OK:
            outcome = yield from self._work.run(request, visit)
        yield from self._unlock.run(request, visit)
        return outcome


class Revalidating:
    """Serves what is too old, and has the first caller's process refresh it in the background.

    ::

        hit --too old, and nobody refreshes it?--yes--> starts a refresh --> served without waiting for it
                                  `--no--> served
        miss (not there, or older than stale_for allows) --> works
    """

    def __init__(self, *, get: Runnable, work: Runnable, cache: Cache | Nodes, refreshes: Refreshes) -> None:
        self._get = get
        self._work = work
        self._cache = cache
        self._refreshes = refreshes

    def run(self, request: Request, visit: Visit) -> Handling:
        """Get, see whether it must be refreshed, and go on."""
        if (yield from self._get.run(request, visit)) is not Outcome.OK:
            return (yield from self._work.run(request, visit))
        if self._cache.begin_refresh(request.key):
            self._refreshes.start(request, self._work, self._cache)
        return Outcome.OK


class Refreshes:
    """The background work of one process: a task each, with a row ``refresh`` at the cache for its own waits."""

    def __init__(self, *, clock: Clock, log: Log, named: tuple[str, int], event_loop: Loop) -> None:
        self._clock = clock
        self._log = log
        self._name, self._replica = named
        self._event_loop = event_loop
        self._running: dict[Process, None] = {}  # in the order of their start

    def start(self, request: Request, work: Runnable, cache: Cache | Nodes) -> None:
        """Do the work on behalf of the request, which does not wait for it."""
        task = Request(request.number, request.attempt, request.operation, request.key, request.visit, background=True)
        process = self._clock.process(self._run(task, work, cache))
        self._running[process] = None
        process.callbacks.append(lambda _: self._running.pop(process))

    def end_all(self) -> None:
        """End all of it at once: the process died."""
        for process in list(self._running):
            process.interrupt("the process died")

    def _run(self, task: Request, work: Runnable, cache: Cache | Nodes) -> Handling:
        visit = self._log.open_visit(task, self._name, self._replica, self._clock.now)
        visit.operation = "refresh"
        visit.admit(self._clock.now)
        outcome = Outcome.ERROR
        try:
            yield from self._event_loop.resume(task)
            outcome = yield from work.run(task, visit)
            self._event_loop.suspend(task)
        except Interrupt:
            pass  # the refresh ends with its process, for nobody waits for it
        finally:
            cache.end_refresh(task.key)
        return visit.close(self._clock.now, outcome)
