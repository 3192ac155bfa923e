"""HAProxy: its configuration rendered from the deployment, and its runtime API."""

from __future__ import annotations

import csv
import io
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from reference_backend.deployment import Deployment, LoadBalancer
from reference_backend.limit import HEALTH_PATH
from reference_backend.ports import LOOPBACK

# One line a request. The start is in microseconds of the wall clock; Tw, Tc, Tr and Ta are whole milliseconds.
LOG_FIELDS = (
    "frontend",
    "request",
    "attempt",
    "path",
    "start_us",
    "Tw",
    "Tc",
    "Tr",
    "Ta",
    "status",
    "termination",
    "server",
)
_LOG_FORMAT = (
    "%f %[capture.req.hdr(0)] %[capture.req.hdr(1)] %[capture.req.uri] %[var(txn.start)] %Tw %Tc %Tr %Ta %ST %tsc %s"
)
# HAProxy counts milliseconds in 31 bits, so no timeout is longer than 24 days; left out, it would warn.
_LONGEST = "24d"

_GLOBAL = """\
global
    nbthread 1
    maxconn {connections}
    log fd@{log_fd} format raw local0
    stats socket {socket} mode 600 level admin
    stats timeout 1h

defaults
    mode http
    log global
    maxconn {connections}
    retries 3
    timeout connect 1s
    timeout client 1h
    timeout http-request 10s
    timeout http-keep-alive 1h
    timeout check 5s
"""

_FRONTEND = """\

frontend {name}
    bind fd@{fd}
    declare capture request len 20
    declare capture request len 6
    http-request capture req.hdr(X-Request) id 0
    http-request capture req.hdr(X-Attempt) id 1
    http-request set-var(txn.start) date(0,us)
    log-format "{log_format}"
    default_backend {name}
"""

_BACKEND = """\

backend {name}
    balance {balance}
    timeout queue {queue_ms}ms
    timeout server {server_timeout}
    option httpchk
    http-check send meth GET uri {health} hdr Host replica
    default-server {settings}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontends:
    """What a configuration needs beyond the deployment: sockets, replica ports, where to log, how many fit."""

    fd_of: Mapping[str, int]
    replica_ports: Mapping[str, Mapping[int, int]]
    log_fd: int
    control: Path
    connections: int


def render(deployment: Deployment, frontends: Frontends) -> str:
    """Return HAProxy's configuration for every load balancer of a deployment.

    ``option abortonclose`` is left off, as it is by default: a request whose client went away is still served. A weight
    of 256 gives ``random`` its finest ring.
    """
    text = _GLOBAL.format(log_fd=frontends.log_fd, socket=frontends.control, connections=frontends.connections)
    for name, balancer in deployment.load_balancers().items():
        text += _FRONTEND.format(name=name, fd=frontends.fd_of[name], log_format=_LOG_FORMAT)
        server_s = balancer.server_timeout_s
        text += _BACKEND.format(
            name=name,
            balance=_balance(balancer),
            queue_ms=round(balancer.queue_timeout_s * 1000),
            server_timeout=_LONGEST if server_s is None else f"{round(server_s * 1000)}ms",
            health=HEALTH_PATH,
            settings=server_settings(balancer),
        )
        for replica, port in frontends.replica_ports[balancer.targets].items():
            text += f"    server {server_name(replica)} {LOOPBACK}:{port}\n"
    return text


def server_settings(balancer: LoadBalancer) -> str:
    """Return what is said of each server, those included that are added while HAProxy runs."""
    limit = balancer.max_connections_per_server
    maxconn = "" if limit is None else f" maxconn {limit}"
    return f"check inter 2s weight {256 if balancer.algorithm == 'random' else 1}{maxconn}"


def _balance(balancer: LoadBalancer) -> str:
    """Return HAProxy's word for an algorithm."""
    match balancer.algorithm:
        case "roundrobin":
            return "roundrobin"
        case "leastconn":
            return "leastconn"
        case "random":
            return "random(2)"
        case _ as never:
            assert_never(never)


def server_name(replica: int) -> str:
    """Return the name of a replica in HAProxy's configuration."""
    return f"r{replica}"


def replica_of(server: str) -> int | None:
    """Return the replica that a server name in the log stands for; ``<NOSRV>`` stands for none.

    >>> replica_of("r12"), replica_of("<NOSRV>")
    (12, None)
    """
    return int(server[1:]) if server.startswith("r") and server[1:].isdigit() else None


def ask(control: Path, command: str, *, timeout_s: float = 1.0) -> str:
    """Return the runtime API's answer to one command.

    Raises:
        OSError: HAProxy does not answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        connection.connect(str(control))
        connection.sendall(command.encode() + b"\n")
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """One number of ``show stat``: a server's, or (with no replica) the whole backend's."""

    load_balancer: str
    replica: int | None
    name: str
    value: float


def gauges(control: Path) -> list[Gauge]:
    """Return the requests in service and in queue, and whether it is held for up, of each server and whole backend."""
    table = csv.DictReader(io.StringIO(ask(control, "show stat").removeprefix("# ")))
    found = []
    for row in table:
        if row["svname"] == "FRONTEND":
            continue
        replica = replica_of(row["svname"])
        for column in ("scur", "qcur"):
            found.append(Gauge(load_balancer=row["pxname"], replica=replica, name=column, value=float(row[column])))
        # Only what its checks say counts: a server that is drained, or in maintenance, was meant to be.
        up = float(not row["status"].startswith("DOWN"))
        found.append(Gauge(load_balancer=row["pxname"], replica=replica, name="up", value=up))
    return found
