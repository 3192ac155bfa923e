"""One scaling process as the supervisor sees it: started for each repeat, heard, and ended."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

from reference_backend import ports, replica_command
from reference_backend.deployment import Deployment
from reference_backend.launching import READY_S, Launcher
from reference_backend.parts import Parts
from reference_backend.processes import Child, Command
from reference_backend.scaling.fleet import Fleet
from reference_backend.scaling.link import Message, SupervisorEnd
from reference_backend.watch import Watch


class Scaler:
    """The scaling process of one service: an autoscaler's controller, or a platform with the service's own address."""

    def __init__(
        self, *, deployment: Deployment, service: str, folder: Path, launcher: Launcher, parts: Parts, watch: Watch
    ) -> None:
        self._spec = deployment.services()[service]
        self._service = service
        self._folder = folder
        self._launcher = launcher
        self._parts = parts
        self._watch = watch
        self._listening: socket.socket | None = None
        self._child: Child | None = None
        self._end: SupervisorEnd | None = None
        self._here = False
        self.fleet = Fleet(service=service, folder=folder, launcher=launcher, parts=parts)

    @property
    def notes(self) -> Path:
        """Return the file in which it notes what it does."""
        return self._folder / f"notes-{self._service}"

    @property
    def _is_platform(self) -> bool:
        return self._spec.autoscaler is not None and self._spec.autoscaler.kind == "serverless"

    def listen(self, port: int) -> None:
        """If requests arrive at this process, bind the socket for it; port 0: a free one."""
        if self._is_platform and self._listening is None:
            self._listening = ports.listening_socket(port)
            self._parts.ports[self._service] = self._listening.getsockname()[1]

    def begin(self) -> None:
        """Start the process, and wait until it can do its work."""
        assert self._spec.autoscaler is not None  # or there would be no scaler
        self.listen(self._parts.ports.get(self._service, 0))
        ours, theirs = socket.socketpair()
        replicas = {
            number: [self._parts.replica_ports[self._service][number], running.child.pid]
            for number, running in self.fleet.living().items()
        }
        inherit = [theirs.fileno()]
        arguments: list[str | Path] = [
            "--deployment", self._folder / "deployment.json", "--service", self._service, "--fd", str(theirs.fileno()),
            "--replicas", json.dumps(replicas), "--notes", self.notes,
        ]  # fmt: skip
        match self._spec.autoscaler.kind:
            case "hpa":
                name = "controller"
                arguments += ["--control", self._folder / "h.sock"]
            case "serverless":
                name = "platform"
                assert self._listening is not None  # bound above
                inherit.append(self._listening.fileno())
                spans = replica_command.span_file(self._folder, f"{self._service}.platform")
                arguments += ["--listen", str(inherit[-1]), "--spans", spans]
            case _ as never:
                assert_never(never)
        try:
            self._start(name, arguments, inherit)
        finally:
            theirs.close()
            self._close_listening()
        self._end = SupervisorEnd(ours)
        self._here = False
        self._watch.duties[self._end.fd] = self._hear
        self._watch.until(lambda: self._here, part=self._part(name), what="its first word", within_s=READY_S)

    def start_clock(self, zero_s: float) -> None:
        """Tell it the monotonic time at which the schedule begins."""
        if self._end is not None:
            self._end.send({"zero_s": zero_s})

    def end(self) -> None:
        """End the process, and the replicas that are not ready yet."""
        if self._child is None or self._end is None:
            return
        child, self._child = self._child, None
        self._launcher.dismiss(child)
        self._watch.until(lambda: not child.is_alive(), part=child.part, what="its end", within_s=READY_S)
        self._hear()  # its last words: what it asked to end does end
        self._watch.duties.pop(self._end.fd, None)
        self._end.close()
        self._end = None
        for replica in self.fleet.booting():
            self.fleet.stop(replica)

    def _part(self, name: str) -> str:
        return f"{self._service}.{name}"

    def _start(self, name: str, arguments: Sequence[str | Path], inherit: Sequence[int]) -> None:
        part = self._part(name)
        self._launcher.starting(part)
        command = Command(
            part=part,
            arguments=[sys.executable, "-m", f"reference_backend.scaling.{name}", *arguments],
            log=self._folder / f"{part}.log",
            inherit=tuple(inherit),
        )
        self._child = self._launcher.start(part, 0, command)

    def _close_listening(self) -> None:
        """Close our copy of the socket: it would go on accepting connections for a process that is dead."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    def _hear(self) -> None:
        """Do what it asks for."""
        assert self._end is not None  # it is heard only between its start and its end
        messages = self._end.messages()
        if messages is None:
            self._watch.duties.pop(self._end.fd, None)  # it has ended; if that was not planned, the watch says so
            return
        for message in messages:
            self._do(message)

    def _do(self, message: Message) -> None:
        assert self._end is not None  # as above
        if "start" in message:
            port, pid = self.fleet.start(message["start"], ready_at_s=message["ready_at_s"])
            self._end.send({"started": message["start"], "port": port, "pid": pid})
        elif "ready" in message:
            self.fleet.ready(message["ready"])
        elif "stop" in message:
            self.fleet.stop(message["stop"])
        else:
            self._here = True
