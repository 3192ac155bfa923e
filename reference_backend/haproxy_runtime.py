"""Servers that come and go while HAProxy runs: its runtime API, as an autoscaler's tool uses it.

::

    add server, enable server, enable health ---> in rotation
    in rotation --state drain--> nothing new goes there --nobody under way--> state maint, del server

Source: HAProxy 2.8, doc/management.txt, "add server", "del server", "set server"; tried on the wheel's 2.8.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reference_backend import haproxy
from reference_backend.ports import LOOPBACK

_ANSWERED = ("hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other")
_ADDED = "New server registered."
_REMOVED = "Server deleted."


class Refused(Exception):
    """HAProxy did not do what it was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerState:
    """What HAProxy knows of one server.

    Attributes:
        under_way: requests that the server has been sent and has not answered.
        queued: requests that wait for this very server.
        answered: answers that it has given since it was added.
        up: whether it is held for up.
    """

    under_way: int
    queued: int
    answered: int
    up: bool


class Runtime:
    """HAProxy's runtime API, for one backend.

    Every method raises OSError if HAProxy does not answer.
    """

    def __init__(self, *, control: Path, backend: str) -> None:
        self._control = control
        self._backend = backend

    def add(self, replica: int, *, port: int, settings: str) -> None:
        """Put a new server into rotation.

        Args:
            replica: its number; no server of that number may be there.
            port: where it listens on the loopback.
            settings: as after ``default-server``, which does not count for servers added later.

        Raises:
            Refused: HAProxy knows a server of that number, or does not take the settings.
        """
        server = self._server(replica)
        self._expect(f"add server {server} {LOOPBACK}:{port} {settings}", _ADDED)
        if " check " in f" {settings} ":
            self._expect(f"enable health {server}", "")  # else the checks of a server that was added stay off
        self._expect(f"enable server {server}", "")

    def drain(self, replica: int) -> None:
        """Send a server nothing new.

        Raises:
            Refused: there is no such server.
        """
        self._expect(f"set server {self._server(replica)} state drain", "")

    def remove(self, replica: int) -> bool:
        """Take a drained server out of the configuration; return False if it still has connections.

        Raises:
            Refused: there is no such server.
        """
        server = self._server(replica)
        self._expect(f"set server {server} state maint", "")
        answer = haproxy.ask(self._control, f"del server {server}").strip()
        if answer == _REMOVED:
            return True
        if "still has" in answer:
            return False
        raise Refused(f"del server {server}: {answer}")

    def servers(self) -> Mapping[int, ServerState]:
        """Return the state of every server, by the number of its replica."""
        # Of all backends: asked for one by name, it takes the frontend of that name, which has no servers.
        table = haproxy.ask(self._control, "show stat -1 4 -1").removeprefix("# ")
        states = {}
        for row in csv.DictReader(io.StringIO(table)):
            replica = haproxy.replica_of(row["svname"])
            if replica is not None and row["pxname"] == self._backend:
                states[replica] = ServerState(
                    under_way=int(row["scur"]),
                    queued=int(row["qcur"]),
                    answered=sum(int(row[column] or 0) for column in _ANSWERED),
                    up=row["status"].startswith("UP"),
                )
        return states

    def _server(self, replica: int) -> str:
        return f"{self._backend}/{haproxy.server_name(replica)}"

    def _expect(self, command: str, wanted: str) -> None:
        answer = haproxy.ask(self._control, command).strip()
        if answer != wanted:
            raise Refused(f"{command}: {answer or 'no word of success'}")
