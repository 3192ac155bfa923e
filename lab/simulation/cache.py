"""A shared cache: least recently used entries go first, old ones are never served."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping

from lab.simulation.clock import Clock
from lab.simulation.log import Log
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.variate import Variate


class LruCache:
    """``get`` ends OK on a hit and ERROR on a miss; ``set`` stores the key and evicts if need be.

    An entry is served while its age is below the time to live. It is dropped when it is looked at after that, and
    until then takes up room (Valkey also sweeps old entries out in the background, and samples for the least
    recently used one instead of knowing it).
    """

    def __init__(
        self,
        *,
        clock: Clock,
        log: Log,
        name: str,
        capacity: int | None,
        ttl_s: float | None,
        access_times: Mapping[str, Variate],
    ) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._capacity = math.inf if capacity is None else capacity
        self._ttl_s = math.inf if ttl_s is None else ttl_s
        self._access_times = access_times
        self._expiry_s: OrderedDict[int, float] = OrderedDict()

    def handle(self, request: Request) -> Handling:
        """Read or write the request's key."""
        clock = self._clock
        visit = self._log.open_visit(request, self._name, 0, clock.now)
        visit.admit(clock.now)
        visit.service_time_s = time_s = self._access_times[request.operation](request)
        if time_s:
            yield clock.timeout(time_s)
        if request.operation == "get":
            visit.hit = self._get(request.key)
            visit.close(clock.now, Outcome.OK)
            return Outcome.OK if visit.hit else Outcome.ERROR
        self._set(request.key)
        return visit.close(clock.now, Outcome.OK)

    def _get(self, key: int) -> bool:
        expiry_s = self._expiry_s.get(key)
        if expiry_s is None:
            return False
        if expiry_s <= self._clock.now:
            del self._expiry_s[key]
            return False
        self._expiry_s.move_to_end(key)
        return True

    def _set(self, key: int) -> None:
        self._expiry_s[key] = self._clock.now + self._ttl_s
        self._expiry_s.move_to_end(key)
        if len(self._expiry_s) > self._capacity:
            self._expiry_s.popitem(last=False)
