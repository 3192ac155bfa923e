"""The replica processes of the services, and what can be done to one while it serves."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path
from typing import Literal

import httpx

from reference_backend import ports, replica_command
from reference_backend.deployment import Deployment
from reference_backend.launching import Launcher
from reference_backend.limit import HEALTH_PATH, SLOW_DOWN_PATH
from reference_backend.parts import Parts, Running
from reference_backend.ports import LOOPBACK
from reference_backend.problems import PartFailed
from reference_backend.replica_command import Boot

_ANSWER_S = 1.0


class Replicas:
    """Replicas that are killed, started again at the address of another, stopped, let go on and slowed down."""

    def __init__(self, *, deployment: Deployment, folder: Path, parts: Parts, launcher: Launcher) -> None:
        self.deployment = deployment
        self._folder = folder
        self._parts = parts
        self._launcher = launcher
        self._http = httpx.Client(trust_env=False, timeout=_ANSWER_S)
        self._booting: dict[tuple[str, int], int] = {}  # the ports of those that were started and are not ready yet
        self._reserved: dict[int, socket.socket] = {}  # by port: what keeps the address of a dead replica from others

    def ports(self, service: str) -> dict[int, int]:
        """Return the ports of the replicas that run, by number, booting ones included."""
        booting = {number: port for (name, number), port in self._booting.items() if name == service}
        return {**self._parts.replica_ports[service], **booting}

    def kill(self, service: str, number: int) -> int:
        """End a replica by SIGKILL; return its port, which is kept for whoever replaces it."""
        self._launcher.kill(self._running(service, number).child)
        booting = self._booting.pop((service, number), None)
        port = self._parts.replica_ports[service].pop(number) if booting is None else booting
        self._reserved[port] = ports.bound_socket(port)
        return port

    def start(self, service: str, number: int, *, port: int) -> None:
        """Start a replica at the address of one that was killed; it is ready later."""
        boot_times_s = self.deployment.services()[service].boot_times_s
        boot_s = boot_times_s[number] if number < len(boot_times_s) else 0.0
        boot = Boot(ready_at_s=time.monotonic() + boot_s, yielding=replica_command.can_yield())
        with self._reserved.pop(port) as bound:
            self._booting[service, number] = port
            command = replica_command.command(
                folder=self._folder, service=service, replica=number, fd=bound.fileno(), boot=boot
            )
            self._launcher.starting(command.part)
            self._launcher.start(service, number, command)

    def is_ready(self, service: str, number: int) -> bool:
        """Return whether a replica that was started answers; from then on it is one of the service's."""
        try:
            answer = self._http.get(self._url(service, number, HEALTH_PATH))
        except httpx.TransportError:
            return False  # it does not listen yet
        is_it = answer.is_success and answer.json()["pid"] == self._running(service, number).child.pid
        if is_it and (service, number) in self._booting:
            self._parts.replica_ports[service][number] = self._booting.pop((service, number))
        return bool(is_it)

    def stop(self, service: str, number: int) -> None:
        """Let a replica stand still: SIGSTOP."""
        os.killpg(self._running(service, number).child.pid, signal.SIGSTOP)

    def let_go_on(self, service: str, number: int) -> None:
        """Let a replica that stands still go on: SIGCONT."""
        os.killpg(self._running(service, number).child.pid, signal.SIGCONT)

    def slow_down(self, service: str, number: int, steps: Literal["cpu", "wait"], factor: float) -> None:
        """Let the steps of a kind that begin from now on take ``factor`` times their demand; 1 is full speed.

        Raises:
            PartFailed: the replica did not take note of it.
        """
        url = self._url(service, number, SLOW_DOWN_PATH)
        try:
            answer = self._http.post(url, params={"steps": steps, "factor": factor})
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise PartFailed(
                f"{service}/{number}",
                f"it could not be slowed down ({error!r})",
                why="the fault that was asked for would not have happened",
                do="look whether it is overloaded or stands still at that time",
            ) from error

    def close(self) -> None:
        """Give the kept addresses back, and close the connections."""
        self._http.close()
        for bound in self._reserved.values():
            bound.close()
        self._reserved.clear()

    def _running(self, service: str, number: int) -> Running:
        known = (running for running in self._parts.running if running.component == service)
        return next(running for running in known if running.replica == number)

    def _url(self, service: str, number: int, path: str) -> str:
        return f"http://{LOOPBACK}:{self.ports(service)[number]}{path}"
