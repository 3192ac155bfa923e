"""A cache that every calling process has for itself."""

from __future__ import annotations

from collections.abc import Callable

from lab.errors import Unsupported
from lab.simulation.cache.cache import Cache
from lab.simulation.request import Handling, Part, Request


class LocalCaches:
    """The caches of one name, by calling service and process, each made cold on first use."""

    def __init__(self, *, name: str, make: Callable[[int], Part]) -> None:
        self._name = name
        self._make = make
        self._caches: dict[tuple[str, int], Part] = {}

    def of(self, service: str, process: int) -> Part:
        """Return the cache of one process of a service."""
        if (service, process) not in self._caches:
            self._caches[service, process] = self._make(process)
        return self._caches[service, process]

    def flush(self) -> None:
        """Flush them all."""
        for cache in self._caches.values():
            if not isinstance(cache, Cache):
                raise Unsupported(f"components.{self._name}: your own part stands for it, which cannot be flushed")
            cache.flush()

    def handle(self, request: Request) -> Handling:
        """Refuse: nobody but the processes has it."""
        raise Unsupported(f"components.{self._name}: it lives in each process (scope: replica), no other part can ask")
