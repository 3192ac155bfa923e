"""Taking charge of processes as they start, so that each is watched and none is forgotten."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import uvicorn

from reference_backend import ports
from reference_backend.binaries import Binary
from reference_backend.events import Events
from reference_backend.parts import Parts, Running
from reference_backend.problems import PartFailed
from reference_backend.processes import Child, Command, spawn
from reference_backend.watch import Watch

READY_S = 30.0
_GONE_S = 10.0
_PORT_ATTEMPTS = 5


class Launcher:
    """Starts processes and knows every one of them."""

    def __init__(self, *, parts: Parts, watch: Watch, events: Events) -> None:
        self._parts = parts
        self._watch = watch
        self._events = events
        self._unadopted: list[Child] = []
        self._commands: dict[int, Command] = {}  # by process id: how it was started

    def everything(self) -> list[Child]:
        """Return every process that was started and may still run."""
        return [running.child for running in self._parts.running] + self._unadopted

    def starting(self, part: str) -> None:
        """Say that a part is being started."""
        self._events.emit("starting", part=part)

    def start(self, component: str, replica: int, command: Command) -> Child:
        """Start a process that must live as long as the backend does."""
        child = spawn(command)
        self._commands[child.pid] = command
        self._adopt(component, replica, child)
        return child

    def command_of(self, child: Child) -> Command:
        """Return how a process that this one started was started."""
        return self._commands[child.pid]

    def dismiss(self, child: Child) -> None:
        """Ask a process to end that is no longer needed: that it ends then is no failure."""
        self._parts.running[:] = [running for running in self._parts.running if running.child is not child]
        self._watch.children.remove(child)
        child.process.send_signal(child.ending.ask)
        self._unadopted = [*(each for each in self._unadopted if each.is_alive()), child]

    def kill(self, child: Child, number: signal.Signals = signal.SIGKILL) -> None:
        """End a process by a signal that ends it without delay, as planned: when this returns it is gone."""
        self._parts.running[:] = [running for running in self._parts.running if running.child is not child]
        self._watch.children.remove(child)
        self._unadopted.append(child)  # until it has ended, it is not forgotten
        os.kill(child.pid, number)
        child.process.wait(_GONE_S)
        self._unadopted.remove(child)

    def run_to_end(self, command: Command) -> None:
        """Run a program that prepares something, and expect it to succeed."""
        child = spawn(command)
        self._unadopted.append(child)
        self._watch.until(lambda: not child.is_alive(), part=command.part, what="its preparation", within_s=60.0)
        self._unadopted.remove(child)
        if child.process.returncode != 0:
            raise _did_not_start(child)

    def start_on_free_port(
        self,
        component: str,
        build: Callable[[int], Command],
        answers: Callable[[int, int], bool],
        *,
        replica: int = 0,
    ) -> tuple[int, Child]:
        """Start a server that cannot inherit a socket, on another port if the first was taken in the meantime.

        Args:
            component: the part's name.
            build: gives the command for a port.
            answers: whether the server on this port is ready and is this process.
            replica: its number, where it is one of several.
        """
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            port = ports.free_port()
            command = build(port)
            child = spawn(command)
            self._commands[child.pid] = command
            # Not adopted yet: that it ends because of its port is no reason to give up.
            self._unadopted.append(child)
            deadline = time.monotonic() + READY_S
            while child.is_alive():
                if answers(port, child.pid):
                    self._unadopted.remove(child)
                    self._adopt(component, replica, child)
                    return port, child
                if time.monotonic() > deadline:
                    raise _did_not_start(child)
                self._watch.pause(0.02)
            self._unadopted.remove(child)
            if attempt == _PORT_ATTEMPTS or "ddress already in use" not in child.last_words():
                break
        raise _did_not_start(child)

    def ready(self, part: str, child: Child, port: int, binary: Binary | None) -> None:
        """Say that a part is ready, and record what it runs (uvicorn, when no binary is given)."""
        known = {"version": uvicorn.__version__, "binary": "uvicorn", "source": "wheel"}
        if binary is not None:
            known = {"version": binary.version, "binary": binary.name, "source": binary.source}
        self._parts.servers[part] = known
        self._events.emit("ready", part=part, port=port, pid=child.pid, **known)

    def _adopt(self, component: str, replica: int, child: Child) -> None:
        self._parts.running.append(Running(component=component, replica=replica, child=child))
        self._watch.children.append(child)


def _did_not_start(child: Child) -> PartFailed:
    return PartFailed(
        child.part,
        f"it did not start: the process {child.exit_text()}",
        why=f"the backend is not whole without it. Its last words: {child.last_words()}",
        do="read those words; if the binary is of another machine or version, name another one",
    )
