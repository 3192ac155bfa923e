"""A database server whose statements compute on the cores of a host, each connection as a process of its own."""

from __future__ import annotations

from collections.abc import Iterable

from lab.simulation.clock import Clock
from lab.simulation.database.server import Server, Work
from lab.simulation.host import Host, Hosted
from lab.simulation.log import Log, Visit
from lab.simulation.processor import Job


class HostedServer(Server):
    """Has the host compute its statements, in turns with each other and with whatever else computes there.

    ::

        arrives --> a process of the host --turns on a core--> answers

    The rows are ``name.server``; their service time is that on a core, standstill included. The waits for turns are in
    the host's own rows.

    Args:
        log: clock, log and name.
        index: number of the server within its database.
        max_connections: how many it keeps open.
        host: whose cores it computes on.
    """

    def __init__(self, *, log: tuple[Clock, Log, str], index: int, max_connections: int | None, host: Host) -> None:
        clock, written, name = log
        super().__init__(clock=clock, log=written, name=name, index=index, cores=None, max_connections=max_connections)
        self._host = host
        self._processes: dict[Work, Hosted] = {}

    def crash(self) -> None:
        """Go down; what its processes compute is dropped."""
        for process in self._processes.values():
            process.halt()
        super().crash()
        self._processes.clear()

    def _run(self, work: Work) -> None:
        if work.request is None or work.left_s == 0:  # opening a connection is given as a time
            super()._run(work)
            return
        self._running[work] = None
        process = self._processes[work] = self._host.process()
        if self._frozen:
            process.freeze()
        process.begin(Job(work.request, work.left_s, lambda _: self._computed(work)))

    def _computed(self, work: Work) -> None:
        self._end(work, work.turn)
        del self._processes[work]

    def _served_s(self, work: Work, visit: Visit) -> float:
        process = self._processes.get(work)
        return super()._served_s(work, visit) - (0.0 if process is None else process.waited_s)

    def _timed(self) -> Iterable[Work]:
        return [work for work in self._running if work not in self._processes]

    def _set_speed(self, *, slowness: float, frozen: bool) -> None:
        if frozen != self._frozen:
            for process in self._processes.values():
                if frozen:
                    process.freeze()
                else:
                    process.thaw()
        super()._set_speed(slowness=slowness, frozen=frozen)
