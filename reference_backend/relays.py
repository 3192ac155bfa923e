"""The relays of a deployment as the supervisor sees them: one process for each link that a fault strikes."""

from __future__ import annotations

import importlib.metadata
import json
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from reference_backend import ports
from reference_backend.agenda import Agenda
from reference_backend.binaries import Binary
from reference_backend.deployment import Deployment
from reference_backend.faults import PartitionFault, SlowLinkFault
from reference_backend.happenings import Happenings
from reference_backend.launching import READY_S, Launcher
from reference_backend.links import Link, struck_links
from reference_backend.parts import Parts
from reference_backend.problems import PartFailed
from reference_backend.processes import Child, Command
from reference_backend.tables import replica_names

_ANSWER_S = 2.0


@dataclass(slots=True, kw_only=True)
class _Relay:
    """One relay, and what its link is now.

    Attributes:
        ports: by the name of what it stands in front of: where it listens.
        control: our end of the control socket.
    """

    ports: dict[str, int]
    control: socket.socket
    whole: bool = True
    delay_s: float = 0.0


class Relays:
    """Starts the relays, says at which ports each caller finds what it asks, and cuts, slows and mends the links."""

    def __init__(self, *, deployment: Deployment, folder: Path, launcher: Launcher, parts: Parts) -> None:
        self._deployment = deployment
        self._folder = folder
        self._launcher = launcher
        self._parts = parts
        self._relays: dict[Link, _Relay] = {}

    def start(self) -> None:
        """Start them all; the ports of what they stand in front of must be known by now.

        Raises:
            PartFailed: one does not answer.
        """
        for link in struck_links(self._deployment):
            self._launcher.starting(link.name)
            bound = {server: ports.listening_socket() for server in self._servers(link.callee)}
            ours, theirs = socket.socketpair()
            ours.settimeout(READY_S)
            ports_of = {server: each.getsockname()[1] for server, each in bound.items()}
            self._relays[link] = _Relay(ports=ports_of, control=ours)
            try:
                child = self._start(link, bound, theirs)
            finally:  # copies that stayed open would go on accepting connections for a process that is dead
                theirs.close()
                for each in bound.values():
                    each.close()
            self._tell(link)
            ours.settimeout(_ANSWER_S)
            known = Binary(path=Path("relay"), source="wheel", version=f"uvloop {importlib.metadata.version('uvloop')}")
            self._launcher.ready(link.name, child, ports_of[link.callee], known)

    def ports_of(self, caller: str) -> dict[str, int]:
        """Return where a caller (``client``: the load generator) finds each part."""
        found = dict(self._parts.ports)
        for link, relay in self._relays.items():
            if link.caller == caller:
                found |= relay.ports
        return found

    def set_whole(self, between: tuple[str, ...], *, whole: bool) -> None:
        """Cut the links between two parts, or mend them.

        Raises:
            PartFailed: a relay does not answer.
        """
        for link, relay in self._between(between):
            relay.whole = whole
            self._tell(link)

    def set_delay(self, between: tuple[str, ...], delay_s: float) -> None:
        """Have what is sent between two parts arrive so much later, each way.

        Raises:
            PartFailed: a relay does not answer.
        """
        for link, relay in self._between(between):
            relay.delay_s = delay_s
            self._tell(link)

    def make_whole(self) -> None:
        """Have every link be whole and quick.

        Raises:
            PartFailed: a relay does not answer.
        """
        for link, relay in self._relays.items():
            if not relay.whole or relay.delay_s > 0:
                relay.whole, relay.delay_s = True, 0.0
                self._tell(link)

    def close(self) -> None:
        """Close the control sockets, at which the relays end."""
        for relay in self._relays.values():
            relay.control.close()

    def _servers(self, callee: str) -> tuple[str, ...]:
        """Return what is reached over a link to a part: of a database, each of its servers."""
        database = self._deployment.databases().get(callee)
        return (callee,) if database is None else (callee, *replica_names(callee, database))

    def _between(self, between: tuple[str, ...]) -> list[tuple[Link, _Relay]]:
        return [(link, relay) for link, relay in self._relays.items() if set(link) == set(between)]

    def _start(self, link: Link, bound: dict[str, socket.socket], control: socket.socket) -> Child:
        routes = [f"{each.fileno()}:{self._parts.ports[server]}" for server, each in bound.items()]
        arguments = [sys.executable, "-m", "reference_backend.relay", "--control", str(control.fileno())]
        for route in routes:
            arguments += ["--route", route]
        command = Command(
            part=link.name,
            arguments=arguments,
            log=self._folder / f"relay-{link.name}.log",
            inherit=(control.fileno(), *(each.fileno() for each in bound.values())),
        )
        return self._launcher.start(link.name, 0, command)

    def _tell(self, link: Link) -> None:
        """Tell a relay what its link is to be, and wait until it is so."""
        relay = self._relays[link]
        said = json.dumps({"whole": relay.whole, "delay_s": relay.delay_s}).encode() + b"\n"
        try:
            relay.control.sendall(said)
            answered = b""
            while not answered.endswith(b"\n"):
                heard = relay.control.recv(4096)
                if not heard:
                    raise ConnectionResetError("it closed its control socket")
                answered += heard
        except OSError as error:
            raise PartFailed(
                link.name,
                f"the relay does not do what it is told ({error!r})",
                why="the fault that was asked for would not have happened",
                do="look whether the machine is overloaded, and run again",
            ) from error


class LinkStrikes:
    """Has links be cut, or slow, in one repeat."""

    def __init__(self, *, relays: Relays, agenda: Agenda, happenings: Happenings) -> None:
        self._relays = relays
        self._agenda = agenda
        self._happenings = happenings

    def cut(self, fault: PartitionFault) -> None:
        """Let nothing pass between two parts, and mend that later."""
        one, between = fault.between[0], list(fault.between)
        self._relays.set_whole(fault.between, whole=False)
        self._happenings.note(one, "partition", between=between)

        def over() -> None:
            self._relays.set_whole(fault.between, whole=True)
            self._happenings.note(one, "partition_over", between=between)

        self._agenda.at(fault.at_s + fault.duration_s, over)

    def slow_down(self, fault: SlowLinkFault) -> None:
        """Have what two parts send each other arrive later, and be as quick as before later."""
        one, between = fault.between[0], list(fault.between)
        self._relays.set_delay(fault.between, fault.delay_s)
        self._happenings.note(one, "slow_link", between=between, delay_s=fault.delay_s)

        def over() -> None:
            self._relays.set_delay(fault.between, 0.0)
            self._happenings.note(one, "slow_link_over", between=between)

        self._agenda.at(fault.at_s + fault.duration_s, over)

    def end(self) -> None:
        """Mend what is still cut or slow when the last request has been sent."""
        self._relays.make_whole()
