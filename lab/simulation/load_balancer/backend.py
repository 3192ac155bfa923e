"""The servers behind a balancer, with both levels of its queue."""

from __future__ import annotations

from collections import deque

from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.gone import Gone
from lab.simulation.load_balancer.algorithm import Algorithm
from lab.simulation.load_balancer.server import AGAIN, LEFT, Place, Server
from lab.simulation.request import Request


class Backend:
    """Servers, the algorithm that chooses among them, and who waits: for one server, or for whichever is free.

    ::

        request --> algorithm --> a server with room -----------------> its slot is taken
                        |-------> a full server, for good --> its queue ---+  a slot is free again:
                        `-------> none --> the queue of all ---------------+  the older of both heads

    Args:
        gone: which clients have left, if a request leaves the queue with its client.

    Source: HAProxy 2.8, src/backend.c (assign_server_and_queue, back_may_abort_req), src/queue.c (process_srv_queue,
    pendconn_redistribute).
    """

    def __init__(
        self,
        *,
        clock: Clock,
        algorithm: Algorithm,
        queue_timeout_s: float,
        max_queue: int | None,
        gone: Gone | None = None,
    ) -> None:
        self._clock = clock
        self._gone = gone
        self._queue_timeout_s = queue_timeout_s
        self._max_queue = max_queue
        self._queue: deque[Place] = deque()
        self._counted = algorithm.counted
        self._changed = algorithm.changed
        self.choose = algorithm.choose
        self.usable = 0  # servers that may be chosen
        self.servers: list[Server] = []

    def add(self, server: Server) -> None:
        """Take a server into service; what waits for whichever is free goes there first."""
        self.servers.append(server)
        self.update(server)

    def update(self, server: Server) -> None:
        """Heed that a server is new, has come up or gone down, or has another weight or limit.

        When no server is left that may be chosen, nobody waits on for one.
        """
        server.settle()
        self.usable = sum(each.usable for each in self.servers)
        self._changed(server)
        if self._queue or server.queued:
            self._hand_over(server)
            self._counted(server)
        if not self.usable:
            self._send_away(self._queue)

    def drain(self, server: Server) -> None:
        """Send a server nothing new, and let who waits for it choose anew."""
        server.draining = True
        self.update(server)
        self.redistribute(server)

    def remove(self, server: Server) -> None:
        """Forget a server that is drained and done."""
        self.servers.remove(server)

    def take(self, server: Server) -> None:
        """Count one more under way at a server with room."""
        server.served += 1
        self._counted(server)

    def release(self, server: Server) -> None:
        """Count one less under way, and give the slot to whoever has waited longest."""
        server.served -= 1
        if self._queue or server.queued:
            self._hand_over(server)
        self._counted(server)

    def wait(self, request: Request, server: Server | None) -> Place | None:
        """Return a place in the queue of a server, or of all, which whoever waits there yields; None: no way to wait.

        Nobody waits where no server may be chosen, or at a server whose queue is full. Who leaves gives up the place.
        """
        if not self.usable or (server is not None and self._max_queue is not None and server.queued >= self._max_queue):
            return None
        place = Place(self._clock, server)
        if server is None:
            self._queue.append(place)
        else:
            server.queue.append(place)
            server.queued += 1
            self._counted(server)
        Timer(self._clock, self._queue_timeout_s, Order.EXPIRY, lambda _: self._leave(place, None))
        if self._gone is not None:
            if self._gone.since(request) is None:
                self._gone.tell(request, lambda: self._leave(place, LEFT))
            else:
                self._leave(place, LEFT)
        return place

    def redistribute(self, server: Server) -> None:
        """Let everybody who waits for this very server choose anew; they wait anew then, at the end of the line."""
        self._send_away(server.queue)
        server.queued = 0
        self._counted(server)

    def _send_away(self, queue: deque[Place]) -> None:
        for place in queue:
            if not place.triggered:
                place.give(AGAIN)
        queue.clear()

    def _hand_over(self, server: Server) -> None:
        while server.served < server.limit:
            place = self._first_in_line(server)
            if place is None:
                return
            server.served += 1
            place.give(server)

    def _first_in_line(self, server: Server) -> Place | None:
        """The older of both heads; of two that came at one time, the one that waits for this very server."""
        own, shared = _head(server.queue), _head(self._queue) if server.usable else None
        if own is not None and (shared is None or own.since_s <= shared.since_s):
            server.queued -= 1
            return server.queue.popleft()
        return None if shared is None else self._queue.popleft()

    def _leave(self, place: Place, why: object) -> None:
        if not place.triggered:
            if place.server is not None:
                place.server.queued -= 1
                self._counted(place.server)
            place.give(why)


def _head(queue: deque[Place]) -> Place | None:
    """Return the first who still waits, and forget those before who have gone."""
    while queue:
        if not queue[0].triggered:
            return queue[0]
        queue.popleft()
    return None
