"""Databases that go down and come up again during a repeat."""

from __future__ import annotations

import signal
import time
from functools import partial

import httpx

from reference_backend.agenda import Agenda
from reference_backend.backend import Backend
from reference_backend.faults import CrashFault
from reference_backend.happenings import Happenings
from reference_backend.launching import READY_S
from reference_backend.limit import REOPEN_PATH
from reference_backend.ports import LOOPBACK
from reference_backend.processes import Command
from reference_backend.watch import Watch

_LOOK_AGAIN_S = 0.02
_OPENED_S = 30.0


class Outages:
    """Has databases crash in one repeat, and makes them and the pools before them whole after it.

    ::

        answers --SIGQUIT: connections break, nobody is let in--> gone --started--> recovers --> answers

    What counts as the restart is when it answers: it is started earlier, by as long as the last start took.
    """

    def __init__(self, *, backend: Backend, agenda: Agenda, happenings: Happenings) -> None:
        self._backend = backend
        self._agenda = agenda
        self._happenings = happenings
        self._down: dict[str, Command] = {}
        self._broken = False

    def crash(self, fault: CrashFault) -> None:
        """Shut the primary of a database down at once, and start it again later."""
        name = fault.component
        if name in self._down:
            return
        self._happenings.note(name, "crash")
        self._shut_down(name)
        if fault.restart_after_s is not None:
            lead_s = self._backend.parts.restart_s.get(name, 0.0)
            self._agenda.at(fault.at_s + fault.restart_after_s - lead_s, partial(self._restart, name))

    def rehearse(self, watch: Watch) -> None:
        """Restart each database that is to crash once before it counts, to know how long that takes."""
        faults = self._backend.deployment.faults
        struck = {fault.component for fault in faults if isinstance(fault, CrashFault)}
        for name in sorted(struck.intersection(self._backend.deployment.databases())):
            self._shut_down(name)
            since_s = time.monotonic()
            self._start(name)
            watch.until(partial(self._answers, name), part=name, what="its restart", within_s=READY_S)
            self._backend.parts.restart_s[name] = time.monotonic() - since_s
            del self._down[name]
        self.make_whole(watch)

    def make_whole(self, watch: Watch) -> None:
        """Have every database answer, and every connection of the pools opened anew.

        Raises:
            PartFailed: one did not come back.
        """
        if not self._broken:
            return
        for name in list(self._down):
            if not self._is_running(name):
                self._start(name)
            watch.until(partial(self._answers, name), part=name, what="its restart", within_s=READY_S)
            del self._down[name]
        with httpx.Client(trust_env=False, timeout=_OPENED_S) as client:
            for ports in self._backend.parts.replica_ports.values():
                for port in ports.values():
                    client.post(f"http://{LOOPBACK}:{port}{REOPEN_PATH}").raise_for_status()

    def _shut_down(self, name: str) -> None:
        running = self._backend.parts.running
        child = next(each.child for each in running if (each.component, each.replica) == (name, 0))
        self._down[name] = self._backend.launcher.command_of(child)
        self._broken = True
        self._backend.launcher.kill(child, signal.SIGQUIT)

    def _restart(self, name: str) -> None:
        self._start(name)
        self._look_for(name, time.monotonic())

    def _start(self, name: str) -> None:
        self._backend.launcher.starting(name)
        self._backend.launcher.start(name, 0, self._down[name])

    def _look_for(self, name: str, since_s: float) -> None:
        """Note when a database that starts answers."""
        if not self._answers(name):
            self._agenda.at(self._agenda.time_s + _LOOK_AGAIN_S, partial(self._look_for, name, since_s))
            return
        self._backend.parts.restart_s[name] = time.monotonic() - since_s
        del self._down[name]
        self._happenings.note(name, "restart")

    def _is_running(self, name: str) -> bool:
        running = self._backend.parts.running
        return any((each.component, each.replica) == (name, 0) for each in running)

    def _answers(self, name: str) -> bool:
        return self._backend.parts.databases[name].answers_from(self._backend.data_folder(name))
