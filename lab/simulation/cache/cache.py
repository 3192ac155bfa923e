"""A cache as its callers see it: one access after the other, each taking its time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from lab.simulation.cache.contents import Contents
from lab.simulation.cache.early import EarlyRefresh
from lab.simulation.cache.locks import Locks
from lab.simulation.clock import Clock
from lab.simulation.log import Log, Visit
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.variate import Variate

OPERATIONS = ("get", "set", "delete", "check", "lock", "unlock")

_Verb = Callable[[Request, Visit], Outcome]


class Cache:
    """Each access takes its time, then happens at once; nobody queues.

    - ``get`` ends OK on a hit and ERROR on a miss; ``check`` too, but is no look-up of its own in the figures.
    - ``set`` stores the key and evicts if need be. If room cannot be made it is refused: its row says so.
    - ``delete`` takes the key out.
    - ``lock`` ends OK for one caller until its ``unlock`` (or a limit of time), ERROR for the others.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        log: Log,
        named: tuple[str, int],
        contents: Contents,
        access_times: Mapping[str, Variate],
        protection: EarlyRefresh | Locks | None = None,
    ) -> None:
        self._clock = clock
        self._log = log
        self._name, self._replica = named
        self._contents = contents
        self._access_times = access_times
        self._locks = protection if isinstance(protection, Locks) else None
        self._refreshing: set[int] = set()
        self._verbs: dict[str, _Verb] = {
            "get": self._get,
            "set": self._set,
            "delete": self._delete,
            "check": self._check,
        }
        match protection:
            case EarlyRefresh():
                self._verbs["get"] = partial(self._get_or_refresh, protection)
                self._verbs["set"] = partial(self._set_and_measure, protection)
            case Locks():
                self._verbs["lock"] = partial(self._lock, protection)
                self._verbs["unlock"] = partial(self._unlock, protection)
            case None:
                pass

    def handle(self, request: Request) -> Handling:
        """Do one access for the request's key."""
        clock = self._clock
        visit = self._log.open_visit(request, self._name, self._replica, clock.now)
        visit.admit(clock.now)
        visit.service_time_s = time_s = self._access_times[request.operation](request)
        if time_s:
            yield clock.timeout(time_s)
        return self._verbs[request.operation](request, visit)

    def flush(self) -> None:
        """Lose everything at once: entries, locks, and what was known of them."""
        self._contents.clear()
        self._refreshing.clear()
        if self._locks is not None:
            self._locks.clear()

    def begin_refresh(self, key: int) -> bool:
        """Return True to the first who asks after an entry's life is over; that caller must end the refresh."""
        if not self._contents.stale(key, self._clock.now) or key in self._refreshing:
            return False
        self._refreshing.add(key)
        return True

    def end_refresh(self, key: int) -> None:
        """Let the next one who finds the entry too old refresh it."""
        self._refreshing.discard(key)

    def _answered(self, visit: Visit, yes: bool) -> Outcome:
        visit.close(self._clock.now, Outcome.OK)
        return Outcome.OK if yes else Outcome.ERROR

    def _get(self, request: Request, visit: Visit) -> Outcome:
        visit.hit = self._contents.holds(request, self._clock.now)
        return self._answered(visit, visit.hit)

    def _get_or_refresh(self, early: EarlyRefresh, request: Request, visit: Visit) -> Outcome:
        now_s, contents = self._clock.now, self._contents
        there = contents.holds(request, now_s)
        visit.hit = there and not early.due(request, now_s, contents.expiry_s[request.key])
        if not visit.hit:
            early.missed(request, now_s)
        return self._answered(visit, visit.hit)

    def _check(self, request: Request, visit: Visit) -> Outcome:
        return self._answered(visit, self._contents.holds(request, self._clock.now))

    def _set(self, request: Request, visit: Visit) -> Outcome:
        stored = self._contents.put(request, self._clock.now)
        return visit.close(self._clock.now, Outcome.OK if stored else Outcome.ERROR)

    def _set_and_measure(self, early: EarlyRefresh, request: Request, visit: Visit) -> Outcome:
        early.written(request, visit.arrival_s)
        return self._set(request, visit)

    def _delete(self, request: Request, visit: Visit) -> Outcome:
        self._contents.drop(request.key)
        return self._answered(visit, True)

    def _lock(self, locks: Locks, request: Request, visit: Visit) -> Outcome:
        return self._answered(visit, locks.lock(request, self._clock.now))

    def _unlock(self, locks: Locks, request: Request, visit: Visit) -> Outcome:
        locks.unlock(request)
        return self._answered(visit, True)
