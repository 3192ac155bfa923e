"""Faults of a repeat: they happen at their times, are told as events of the simulator's names, and are mended."""

from __future__ import annotations

from functools import partial
from typing import assert_never

from reference_backend import edge_cache, exercising, haproxy
from reference_backend.agenda import Agenda
from reference_backend.backend import Backend
from reference_backend.clock import Clock
from reference_backend.faults import Fault, FlushFault
from reference_backend.happenings import Happening, Happenings
from reference_backend.launching import READY_S
from reference_backend.outages import Outages
from reference_backend.relays import LinkStrikes
from reference_backend.strikes import Strikes
from reference_backend.watch import Watch

_IN_ROTATION_S = 30.0


class Injection:
    """Puts the faults of a deployment on a repeat's agenda, and notes what really happened when."""

    def __init__(self, *, backend: Backend, agenda: Agenda) -> None:
        self._backend = backend
        self._notices_from = len(self._notices())
        self.happenings = Happenings(agenda=agenda)
        self.strikes = Strikes(replicas=backend.replicas, agenda=agenda, happenings=self.happenings)
        self._outages = Outages(backend=backend, agenda=agenda, happenings=self.happenings)
        self._links = LinkStrikes(relays=backend.relays, agenda=agenda, happenings=self.happenings)
        for fault in backend.deployment.faults:
            agenda.at(fault.at_s, partial(self._happen, fault))

    def happened(self, clock: Clock) -> list[Happening]:
        """Return the faults that happened, and what the load balancers noticed of them."""
        text = self._notices()[self._notices_from :]
        return [*self.happenings.all, *self.strikes.aftermath.notices(text, clock)]

    def _notices(self) -> str:
        return self._backend.haproxy_notices.read_text() if self._backend.deployment.proxies() else ""

    def _happen(self, fault: Fault) -> None:
        match fault.kind:
            case "flush":
                self._flush(fault)
            case "crash" if fault.component in self._backend.deployment.databases():
                self._outages.crash(fault)
            case "crash":
                self.strikes.crash(fault)
            case "hang":
                self.strikes.hang(fault)
            case "slow_down":
                self.strikes.slow_down(fault)
            case "partition":
                self._links.cut(fault)
            case "slow_link":
                self._links.slow_down(fault)
            case _:
                assert_never(fault.kind)

    def _flush(self, fault: FlushFault) -> None:
        if fault.component in self._backend.deployment.edge_caches():
            edge_cache.flush(fault.component, partial(haproxy.ask, self._backend.control))
        else:
            self._backend.parts.caches[fault.component].empty()
        self.happenings.note(fault.component, "flush")

    def rehearse(self, watch: Watch) -> None:
        """Do once, before it counts, what has to be done at a time although it takes some."""
        self._outages.rehearse(watch)

    def end(self) -> None:
        """End the faults that last until now: the last request has been answered."""
        self.strikes.end()
        self._links.end()

    def make_whole(self, watch: Watch) -> None:
        """Bring everything that was struck back to how it was at the start, for the next repeat.

        Raises:
            PartFailed: something did not come back.
        """
        self._outages.make_whole(watch)
        replicas = self._backend.replicas
        for service, number in self.strikes.make_whole():
            watch.until(
                partial(replicas.is_ready, service, number),
                part=f"{service}/{number}",
                what="its good answer",
                within_s=READY_S,
            )
            exercising.warm_up_replica(self._backend, watch, service, number)
        if self._backend.deployment.faults and self._backend.deployment.load_balancers():
            watch.until(
                lambda: haproxy.all_fully_up(self._backend.control),
                part="haproxy",
                what="that every server is held for up again",
                within_s=_IN_ROTATION_S,
            )
