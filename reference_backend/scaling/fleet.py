"""The replicas of a service that scales: started and ended by the supervisor, on the word of a scaling process."""

from __future__ import annotations

from pathlib import Path

from reference_backend import ports, replica_command
from reference_backend.launching import Launcher
from reference_backend.parts import Parts, Running
from reference_backend.replica_command import Boot


class Fleet:
    """Starts and ends replicas of one service.

    A replica is counted among those that are asked and drained (``parts.replica_ports``) once it is ready.
    """

    def __init__(self, *, service: str, folder: Path, launcher: Launcher, parts: Parts) -> None:
        self._service = service
        self._folder = folder
        self._launcher = launcher
        self._parts = parts
        self._booting: dict[int, int] = {}

    def living(self) -> dict[int, Running]:
        """Return the processes by the number of their replica, those that boot included."""
        return {each.replica: each for each in self._parts.running if each.component == self._service}

    def booting(self) -> list[int]:
        """Return the replicas that are not ready yet."""
        return list(self._booting)

    def start(self, replica: int, *, ready_at_s: float) -> tuple[int, int]:
        """Start a replica that is not ready before a monotonic time; return its port and its process id."""
        self._launcher.starting(f"{self._service}/{replica}")
        bound = ports.listening_socket()
        try:
            port = int(bound.getsockname()[1])
            command = replica_command.command(
                folder=self._folder,
                service=self._service,
                replica=replica,
                fd=bound.fileno(),
                boot=Boot(ready_at_s=ready_at_s, yielding=replica_command.can_yield()),
            )
            child = self._launcher.start(self._service, replica, command)
        finally:
            bound.close()
        self._booting[replica] = port
        return port, child.pid

    def ready(self, replica: int) -> None:
        """Take note that a replica takes requests."""
        port = self._booting.pop(replica)
        self._parts.replica_ports[self._service][replica] = port
        self._launcher.ready(f"{self._service}/{replica}", self.living()[replica].child, port, None)

    def stop(self, replica: int) -> None:
        """Ask a replica to end; one that has ended already, or was asked before, is left alone."""
        self._booting.pop(replica, None)
        self._parts.replica_ports[self._service].pop(replica, None)
        running = self.living().get(replica)
        if running is not None:
            self._launcher.dismiss(running.child)
