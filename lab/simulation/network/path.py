"""The way between clients and the entry: attempts travel there, answers come back."""

from __future__ import annotations

from collections.abc import Mapping

from lab.randomness import Stream, child_visit
from lab.scenario.names import CLIENT
from lab.simulation.clock import Clock
from lab.simulation.log import Log
from lab.simulation.network.tcp import Losses, transfer_time_s
from lab.simulation.request import Handling, Outcome, Part, Request
from lab.simulation.variate import Variate

_WAYS = {"send": 0, "receive": 1}  # of the visits that address the losses of a transfer


class ClientPath:
    """The network as it is now; a fault may have it lose more.

    Args:
        round_trip: drawn for each attempt.
        up_bytes_per_s: bandwidth to the entry; infinite: no limit.
        down_bytes_per_s: bandwidth to the client.
        loss_ratio: share of packets lost.
        losses: the stream of what is lost.
    """

    def __init__(
        self,
        *,
        round_trip: Variate,
        up_bytes_per_s: float,
        down_bytes_per_s: float,
        loss_ratio: float,
        losses: Stream,
    ) -> None:
        self.round_trip = round_trip
        self._bytes_per_s = {"send": up_bytes_per_s, "receive": down_bytes_per_s}
        self.loss_ratio = loss_ratio
        self._losses = losses

    def lose(self, loss_ratio: float) -> None:
        """Lose this share of the packets of each transfer that begins from now on."""
        self.loss_ratio = loss_ratio

    def transfer_time_s(self, request: Request, way: str, *, size_bytes: float, round_trip_s: float) -> float:
        """Return how long the bytes of a request (``send``) or its answer (``receive``) take to be sent."""

        def uniform(ordinal: int) -> float:
            visit = child_visit(_WAYS[way], ordinal)
            return self._losses.uniform(request.number, request.attempt, visit)

        return transfer_time_s(
            size_bytes=size_bytes,
            round_trip_s=round_trip_s,
            bytes_per_s=self._bytes_per_s[way],
            losses=Losses(self.loss_ratio, uniform),
        )


class OverNetwork:
    """The entry as clients reach it over their network, each on a connection of its own that is open already.

    ::

        send: the request's bytes, half a round trip --> entry --> receive: half a round trip, the answer's bytes

    Rows of the component ``client``, so that the client's time adds up. The entry knows nothing of slow clients: it
    gets a request when its last byte is there, and an answer leaves it at once, as with a proxy that buffers both.
    What was sent for a client that has given up meanwhile arrives all the same.
    """

    def __init__(
        self, *, clock: Clock, log: Log, path: ClientPath, sizes: Mapping[str, tuple[float, float]], part: Part
    ) -> None:
        self._clock = clock
        self._log = log
        self._path = path
        self._sizes = sizes
        self._part = part

    def handle(self, request: Request) -> Handling:
        """Carry a request to the entry, and the answer back."""
        request_bytes, response_bytes = self._sizes.get(request.operation, (0.0, 0.0))
        round_trip_s = self._path.round_trip(request)
        yield from self._travel(request, "send", request_bytes, round_trip_s)
        outcome = yield from self._part.handle(request)
        answer_bytes = response_bytes if outcome is Outcome.OK else 0.0
        yield from self._travel(request, "receive", answer_bytes, round_trip_s)
        return outcome

    def _travel(self, request: Request, way: str, size_bytes: float, round_trip_s: float) -> Handling:
        visit = self._log.open_visit(request.child(way, 0), CLIENT, 0, self._clock.now)
        visit.admit(self._clock.now)
        sent_s = self._path.transfer_time_s(request, way, size_bytes=size_bytes, round_trip_s=round_trip_s)
        visit.service_time_s = time_s = round_trip_s / 2 + sent_s
        yield self._clock.timeout(time_s)
        return visit.close(self._clock.now, Outcome.OK)
