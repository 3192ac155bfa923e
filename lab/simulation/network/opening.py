"""Opening a connection: round trips of TCP and TLS, and the entry's cores, which sign each handshake."""

from __future__ import annotations

from lab.scenario.connections import Tls
from lab.scenario.names import CLIENT
from lab.simulation.clock import Clock
from lab.simulation.gone import Gone
from lab.simulation.line import Line
from lab.simulation.link import Linked
from lab.simulation.log import Log
from lab.simulation.network.accepting import Accepting
from lab.simulation.network.path import ClientPath
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.variate import Variate


class Handshakes:
    """The CPU time of TLS handshakes at the entry: so many cores, first come first served.

    Rows of their own, ``ENTRY.tls``. Whose client has given up meanwhile is signed all the same.
    """

    def __init__(self, *, clock: Clock, log: Log, name: str, cores: int, time: Variate) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._line = Line(clock, cores)
        self._time = time

    def handle(self, request: Request) -> Handling:
        """Do one handshake's work."""
        visit = self._log.open_visit(request.child("handshake", 0), self._name, 0, self._clock.now)
        yield from self._line.enter()
        visit.admit(self._clock.now)
        visit.service_time_s = time_s = self._time(request)
        yield self._clock.timeout(time_s)
        self._line.leave()
        return visit.close(self._clock.now, Outcome.OK)


class Opening:
    """Opens connections to the entry; the client's own time is a row of operation ``connect``.

    ::

        SYN, answered after a round trip --lost too often--> error
          | as many open as the entry keeps: wait to be accepted
          | no TLS: open
          | TLS: hello --> the entry's cores sign --> certificate
          |         TLS 1.3: open (the client's last message goes with its request)
          `         TLS 1.2: one round trip more, then open

    Each message but the certificate is one packet; lost ones are sent again as data is. Whose client has gone by the
    end is closed again.
    """

    def __init__(
        self,
        *,
        place: tuple[Clock, Log],
        path: ClientPath,
        secured: tuple[Tls, float],
        gone: Gone,
        costs: tuple[Accepting | None, Handshakes | None],
        link: Linked | None,
    ) -> None:
        self._clock, self._log = place
        self._path = path
        self._tls, self._certificate_bytes = secured
        self._accepting, self._handshakes = costs
        self._gone = gone
        self._link = link

    def handle(self, request: Request) -> Handling:
        """Open a connection for this attempt; an error if the entry cannot be reached."""
        if self._link is not None:
            yield from self._link.cross(request, "there")
        visit = self._log.open_visit(request.child("connect", 0), CLIENT, 0, self._clock.now)
        visit.admit(self._clock.now)
        waited_s, connects = self._path.syn_waits_s(request)
        if not connects:
            visit.service_time_s = waited_s
            yield self._clock.timeout(waited_s)
            return visit.close(self._clock.now, Outcome.ERROR)
        round_trip_s = self._path.round_trip(request)
        before_s, after_s = self._secured_s(request, round_trip_s)
        visit.service_time_s = waited_s + round_trip_s + before_s + after_s
        yield self._clock.timeout(waited_s + round_trip_s)
        if self._accepting is not None:
            accepted = yield from self._accepting.handle(request)
            if accepted is not Outcome.OK:
                visit.service_time_s = waited_s + round_trip_s
                return visit.close(self._clock.now, accepted)
        if before_s > 0:
            yield self._clock.timeout(before_s)
        if self._handshakes is not None:
            yield from self._handshakes.handle(request)
        if after_s > 0:
            yield self._clock.timeout(after_s)
        visit.close(self._clock.now, Outcome.OK)
        if self._gone.since(request) is None:
            return Outcome.OK
        if self._accepting is not None:
            self._accepting.release()
        return Outcome.TIMEOUT

    def _secured_s(self, request: Request, round_trip_s: float) -> tuple[float, float]:
        """Return the time of TLS before the entry's work on it, and after."""
        if self._tls == "none":
            return 0.0, 0.0
        lone, path = {"size_bytes": 0.0, "round_trip_s": round_trip_s}, self._path
        before_s = round_trip_s / 2 + path.transfer_time_s(request, "hello", **lone)
        after_s = round_trip_s / 2 + path.transfer_time_s(
            request, "certificate", size_bytes=self._certificate_bytes, round_trip_s=round_trip_s
        )
        if self._tls == "tls12":
            more_s = sum(path.transfer_time_s(request, way, **lone) for way in ("key", "finished"))
            after_s += round_trip_s + more_s
        return before_s, after_s
