"""Makes the look-ups of one process: which cache they ask, and what protects the work of a miss."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, assert_never

from lab.errors import Unsupported
from lab.scenario import stampede
from lab.scenario.components import Cache as Spec
from lab.simulation.build.process import at_its_end
from lab.simulation.cache import Cache, Nodes
from lab.simulation.cached import (
    Cached,
    Flights,
    Locked,
    Polling,
    Refreshes,
    Revalidating,
    SingleFlight,
    Work,
)
from lab.simulation.event_loop import Loop
from lab.simulation.steps import Access, Runnable, Steps

if TYPE_CHECKING:
    from lab.simulation.build.world import World


class Caching:
    """The caches as one process sees them, and what its look-ups share.

    Args:
        caller: the service, and the number of this process among all of it.
        detached: wraps a step that another part does, so that it goes on when this process dies.
        awaiting: wraps a step that awaits something, so that the event loop is free meanwhile.
    """

    def __init__(
        self,
        *,
        world: World,
        caller: tuple[str, int],
        event_loop: Loop,
        detached: Callable[[Runnable], Runnable],
        awaiting: Callable[[Runnable], Runnable],
    ) -> None:
        self._world = world
        self._service, self._process = caller
        self._event_loop = event_loop
        self._detached = detached
        self._awaiting = awaiting
        self._flights: dict[str, Flights] = {}

    def access(self, name: str, operation: str, ordinal: int) -> Runnable:
        """Return the step that does one access of a cache."""
        return self._awaiting(self._asked(name, operation, ordinal))

    def _asked(self, name: str, operation: str, ordinal: int) -> Runnable:
        cache = self._world.cache_reached(name, self._service, self._process)
        return self._detached(Access(cache=cache, operation=operation, ordinal=ordinal))

    def look_up(self, name: str, ordinal: int, miss: Steps) -> Runnable:
        """Return the step that looks the request's key up, and does the work on a miss."""
        get, store = (self.access(name, operation, ordinal) for operation in ("get", "set"))
        work = Work(miss=miss, store=store)
        spec = self._world.scenario.components[name]
        assert isinstance(spec, Spec)  # the scenario's own check has seen to it
        protection = spec.stampede_protection
        match protection:
            case stampede.NoProtection():
                return Cached(get=get, work=work)
            case stampede.SingleFlight():
                flights = self._flights_of(name)
                return Cached(get=get, work=SingleFlight(flights=flights, join=self._awaiting(flights), work=work))
            case stampede.Lock():
                return Cached(get=get, work=self._locked(name, ordinal, protection, work))
            case stampede.EarlyRefresh():
                self._own(name)  # which decides for itself, look-up by look-up
                return Cached(get=get, work=work)
            case stampede.StaleWhileRevalidate():
                return Revalidating(get=get, work=work, cache=self._own(name), refreshes=self._refreshes(name))
            case _:
                assert_never(protection)

    def _flights_of(self, name: str) -> Flights:
        if name not in self._flights:
            self._flights[name] = Flights(clock=self._world.clock, log=self._world.log, named=(name, self._process))
        return self._flights[name]

    def _locked(self, name: str, ordinal: int, protection: stampede.Lock, work: Runnable) -> Runnable:
        self._own(name)
        lock, unlock, check = (self.access(name, operation, ordinal) for operation in ("lock", "unlock", "check"))
        polling = Polling(
            clock=self._world.clock,
            log=self._world.log,
            named=(name, self._process),
            check=self._asked(name, "check", ordinal),
            poll=(protection.poll, protection.lock_timeout),
        )
        return Locked(lock=lock, unlock=unlock, check=check, polling=self._awaiting(polling), work=work)

    def _refreshes(self, name: str) -> Refreshes:
        world = self._world
        refreshes = Refreshes(
            clock=world.clock, log=world.log, named=(name, self._process), event_loop=self._event_loop
        )
        at_its_end(world, self._service, self._process, refreshes.end_all)
        return refreshes

    def _own(self, name: str) -> Cache | Nodes:
        cache = self._world.cache_of(name, self._service, self._process)
        if not isinstance(cache, Cache | Nodes):
            raise Unsupported(
                f"components.{name}: your own part stands for this cache, so the lab cannot have it do its "
                "stampede_protection; set that to none or single_flight, and protect the cache in your part"
            )
        return cache
