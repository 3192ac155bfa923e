"""What a load balancer itself spends on a request before it passes it on."""

from __future__ import annotations

from collections.abc import Generator

from simpy.events import Event

from lab.simulation.clock import Clock, Handover
from lab.simulation.host import Host
from lab.simulation.log import Visit
from lab.simulation.processor import Job
from lab.simulation.request import Request
from lab.simulation.variate import Variate


class Forwarding:
    """Spends the drawn time on a request: as a delay, or computed in turns on a host.

    On a host those that are being passed on get ready one by one, each as a process of its own: their times are far
    shorter than a turn, so that they are computed as one process would, first come, first served. The row of the visit
    has the time itself; the waits for turns are in the host's rows.
    """

    def __init__(self, *, clock: Clock, time: Variate, host: Host | None) -> None:
        self._clock = clock
        self._time = time
        self._host = host

    def __call__(self, request: Request, visit: Visit) -> Generator[Event, object, None]:
        """Return when the request may be passed on."""
        time_s = visit.service_time_s = self._time(request)
        if self._host is None:
            yield self._clock.timeout(time_s)
        elif time_s > 0:
            computed = Handover(self._clock)
            self._host.process().begin(Job(request, time_s, computed.give))
            yield computed
