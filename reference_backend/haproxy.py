"""HAProxy: its configuration rendered from the deployment, and its runtime API."""

from __future__ import annotations

import csv
import io
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reference_backend import balancing, edge_cache
from reference_backend.deployment import Deployment
from reference_backend.haproxy_limit import limit_lines
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

_GLOBAL = """\
global
    nbthread 1
    maxconn {connections}
    log fd@{log_fd} format raw local0
    log fd@{notice_fd} format iso local0 notice
    stats socket {socket} mode 600 level admin
    stats timeout 1h
{settings}
defaults
    mode http
    log global
    maxconn {connections}
    timeout client 1h
    timeout http-request 1h
    timeout http-keep-alive 1h
    http-reuse always
    default-server pool-purge-delay 1h
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
{limit}    default_backend {name}
"""

_BACKEND = """\

backend {name}
    {options}
    option httpchk
    http-check send meth GET uri {health} hdr Host replica
    default-server {settings}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontends:
    """What a configuration needs beyond the deployment: sockets, replica ports, where to log, how many fit.

    Attributes:
        origin_ports: by the name of each edge cache: where it fetches from.
        log_fd: for a line each request.
        notice_fd: for what happens to servers, with its time.
    """

    fd_of: Mapping[str, int]
    replica_ports: Mapping[str, Mapping[int, int]]
    origin_ports: Mapping[str, int]
    log_fd: int
    notice_fd: int
    control: Path
    connections: int


def render(deployment: Deployment, frontends: Frontends) -> str:
    """Return HAProxy's configuration for every load balancer and edge cache of a deployment."""
    text = _GLOBAL.format(
        log_fd=frontends.log_fd,
        notice_fd=frontends.notice_fd,
        socket=frontends.control,
        connections=frontends.connections,
        settings=edge_cache.settings(deployment.edge_caches()),
    )
    for name, edge in deployment.edge_caches().items():
        text += _FRONTEND.format(name=name, fd=frontends.fd_of[name], log_format=_LOG_FORMAT, limit="")
        text += edge_cache.sections(name, edge, port=frontends.origin_ports[name])
    faulty = bool(deployment.faults)
    for name, balancer in deployment.load_balancers().items():
        text += _FRONTEND.format(
            name=name, fd=frontends.fd_of[name], log_format=_LOG_FORMAT, limit=limit_lines(deployment, name)
        )
        text += _BACKEND.format(
            name=name,
            options="\n    ".join(balancing.options(balancer, faulty=faulty)),
            health=HEALTH_PATH,
            settings=balancing.server_settings(balancer, faulty=faulty),
        )
        for replica, port in frontends.replica_ports[balancer.targets].items():
            weight = balancing.own_weight(balancer, replica)
            text += f"    server {server_name(replica)} {LOOPBACK}:{port}{weight}\n"
    return text


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


def all_fully_up(control: Path) -> bool:
    """Return whether every server is held for up, and none is on its way down; False too if HAProxy does not answer."""
    try:
        table = csv.DictReader(io.StringIO(ask(control, "show stat").removeprefix("# ")))
    except OSError:
        return False
    servers = (row for row in table if replica_of(row["svname"]) is not None)
    return all(row["status"] in ("UP", "no check") for row in servers)


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
        # Only what its checks say counts: a server that is drained, in maintenance or never checked was meant to be.
        up = float(not row["status"].startswith("DOWN"))
        found.append(Gauge(load_balancer=row["pxname"], replica=replica, name="up", value=up))
    return found
