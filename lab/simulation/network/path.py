"""The way between clients and the entry: attempts travel there, answers come back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from lab.randomness import Stream, child_visit
from lab.scenario.names import CLIENT
from lab.simulation.clock import Clock
from lab.simulation.log import Log
from lab.simulation.network.tcp import Losses, transfer_time_s
from lab.simulation.request import Handling, Outcome, Part, Request
from lab.simulation.variate import Variate

Way = Literal["send", "receive", "hello", "certificate", "key", "finished"]

_PLACES: dict[Way, int] = {"send": 0, "receive": 1, "hello": 2, "certificate": 3, "key": 4, "finished": 5}
_SYN = 6  # of the visits that address what is lost of each transfer
_DOWN: tuple[Way, ...] = ("receive", "certificate", "finished")
_SYN_RETRIES = 6  # Linux: net.ipv4.tcp_syn_retries
_FIRST_RTO_S = 1.0  # RFC 6298


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
        self._up_bytes_per_s = up_bytes_per_s
        self._down_bytes_per_s = down_bytes_per_s
        self.loss_ratio = loss_ratio
        self._losses = losses

    def lose(self, loss_ratio: float) -> None:
        """Lose this share of the packets of each transfer that begins from now on."""
        self.loss_ratio = loss_ratio

    def transfer_time_s(self, request: Request, way: Way, *, size_bytes: float, round_trip_s: float) -> float:
        """Return how long bytes of an attempt take to be sent one way."""

        def uniform(ordinal: int) -> float:
            return self._uniform(request, _PLACES[way], ordinal)

        return transfer_time_s(
            size_bytes=size_bytes,
            round_trip_s=round_trip_s,
            bytes_per_s=self._down_bytes_per_s if way in _DOWN else self._up_bytes_per_s,
            losses=Losses(self.loss_ratio, uniform),
        )

    def syn_waits_s(self, request: Request) -> tuple[float, bool]:
        """Return how long lost SYNs, or lost answers to them, delay a connection, and whether it comes about.

        It is tried again after 1 s, and after twice as long each time: 1, 3, 7, ... 63 s after the first. Who has got
        no answer 127 s after it is told so (ETIMEDOUT).

        Source: RFC 6298; Cardwell, Savage, Anderson, "Modeling TCP Latency", INFOCOM 2000.
        """
        waited_s, rto_s, lost = 0.0, _FIRST_RTO_S, 1 - (1 - self.loss_ratio) ** 2
        for attempt in range(_SYN_RETRIES + 1):
            if lost == 0 or self._uniform(request, _SYN, attempt) >= lost:
                return waited_s, True
            waited_s += rto_s
            rto_s *= 2
        return waited_s, False

    def _uniform(self, request: Request, place: int, ordinal: int) -> float:
        return self._losses.uniform(request.number, request.attempt, child_visit(place, ordinal))


class OverNetwork:
    """The entry as clients reach it over their network, each attempt on a connection that is open.

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

    def _travel(self, request: Request, way: Way, size_bytes: float, round_trip_s: float) -> Handling:
        visit = self._log.open_visit(request.child(way, 0), CLIENT, 0, self._clock.now)
        visit.admit(self._clock.now)
        sent_s = self._path.transfer_time_s(request, way, size_bytes=size_bytes, round_trip_s=round_trip_s)
        visit.service_time_s = time_s = round_trip_s / 2 + sent_s
        yield self._clock.timeout(time_s)
        return visit.close(self._clock.now, Outcome.OK)
