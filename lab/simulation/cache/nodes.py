"""A cache of several nodes that share the keys among them."""

from __future__ import annotations

from collections.abc import Sequence

from lab.errors import Unsupported
from lab.simulation.cache.cache import Cache
from lab.simulation.cache.placing import Placing
from lab.simulation.link import Breakable
from lab.simulation.request import Handling, Part, Request


class Nodes:
    """Each key is kept by one node, and every caller knows which.

    ::

        node in use --crash--> ejected, if callers do that: its keys belong to others
                       |         `--restart, empty--> in use again
                       `-----> else still in use: whoever asks it is refused, which counts as a miss

    What was under way at a node that crashes is answered by an error. Callers see at once that a node is gone or back;
    twemproxy needs two failures (server_failure_limit) to eject one, and tries it again after 30 s.
    """

    def __init__(
        self, *, name: str, nodes: Sequence[Part], fronts: Sequence[Breakable], placing: Placing, ejects: bool
    ) -> None:
        self._name = name
        self._nodes = nodes
        self._fronts = fronts
        self._placing = placing
        self._ejects = ejects
        self._up = list(range(len(nodes)))
        self._known: dict[int, int] = {}

    def handle(self, request: Request) -> Handling:
        """Have the node of the request's key do one access."""
        return self._fronts[self.node(request.key)].handle(request)

    def node(self, key: int) -> int:
        """Return the number of the node that a key belongs to now."""
        node = self._known.get(key)
        if node is None:
            node = self._known[key] = self._placing.node(key, self._up)
        return node

    def crash(self, node: int) -> None:
        """Have a node go down."""
        self._fronts[node].break_down()
        if self._ejects and len(self._up) > 1:  # the last one is kept, and refuses
            self._use([each for each in self._up if each != node])

    def restart(self, node: int) -> None:
        """Have a node come back with nothing in it."""
        self._cache(node).flush()
        self._fronts[node].mend()
        self._use(sorted({*self._up, node}))

    def flush(self) -> None:
        """Have all nodes lose everything."""
        for node in range(len(self._nodes)):
            self._cache(node).flush()

    def begin_refresh(self, key: int) -> bool:
        """Return True to the first who asks after an entry's life is over; that caller must end the refresh."""
        return self._cache(self.node(key)).begin_refresh(key)

    def end_refresh(self, key: int) -> None:
        """Let the next one who finds the entry too old refresh it."""
        for node in range(len(self._nodes)):  # the key may have moved since
            self._cache(node).end_refresh(key)

    def _use(self, up: list[int]) -> None:
        self._up = up
        self._known.clear()

    def _cache(self, node: int) -> Cache:
        cache = self._nodes[node]
        if not isinstance(cache, Cache):
            raise Unsupported(
                f"components.{self._name}: your own part stands for it, which the lab can neither empty nor refresh"
            )
        return cache
