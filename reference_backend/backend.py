"""Starting a deployment's parts in order, and ending them."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reference_backend import (
    binaries,
    database_servers,
    descriptors,
    haproxy,
    ports,
    postgres,
    replica_command,
    streams,
    valkey,
)
from reference_backend.binaries import Binary
from reference_backend.caching import Cache
from reference_backend.database_servers import DatabaseServers
from reference_backend.deployment import Deployment
from reference_backend.events import Events
from reference_backend.launching import Launcher
from reference_backend.parts import Parts
from reference_backend.ports import LOOPBACK
from reference_backend.processes import Command, stop
from reference_backend.rate_limit import counters_of
from reference_backend.readiness import wait_until_ready
from reference_backend.references import CLIENT
from reference_backend.relays import Relays
from reference_backend.replicas import Replicas
from reference_backend.scaling.scaling import Scaling
from reference_backend.tables import replica_names
from reference_backend.watch import Watch


class Backend:
    """The real servers of one deployment."""

    def __init__(self, *, deployment: Deployment, folder: Path, watch: Watch, events: Events, entry_port: int) -> None:
        self.deployment = deployment
        self.parts = Parts()
        self._folder = folder
        self._parts_folder = folder / "parts"  # its own, so that no part's name can be that of another file
        self._watch = watch
        self._entry_port = entry_port
        self._launcher = Launcher(parts=self.parts, watch=watch, events=events)
        self.replicas = Replicas(deployment=deployment, folder=folder, parts=self.parts, launcher=self._launcher)
        self.relays = Relays(deployment=deployment, folder=folder, launcher=self._launcher, parts=self.parts)
        self.scaling = Scaling(
            deployment=deployment, folder=folder, launcher=self._launcher, parts=self.parts, watch=watch
        )

    @property
    def entry_url(self) -> str:
        """Return where requests enter."""
        return f"http://{LOOPBACK}:{self.parts.ports[self.deployment.entry]}"

    @property
    def client_url(self) -> str:
        """Return where the load generator sends requests: over its own link to the entry, if it has one."""
        return f"http://{LOOPBACK}:{self.relays.ports_of(CLIENT)[self.deployment.entry]}"

    @property
    def control(self) -> Path:
        """Return HAProxy's runtime socket."""
        return self._folder / "h.sock"

    @property
    def launcher(self) -> Launcher:
        """Return what starts processes."""
        return self._launcher

    def data_folder(self, database: str) -> Path:
        """Return where the primary of a database keeps its data."""
        return self._parts_folder / database / "data"

    @property
    def haproxy_log(self) -> Path:
        """Return the file with a line for each request through HAProxy."""
        return self._folder / "haproxy-requests.log"

    @property
    def haproxy_notices(self) -> Path:
        """Return the file with a line for each thing that happened to a server of HAProxy's, with its time."""
        return self._folder / "haproxy-notices.log"

    def span_files(self) -> list[Path]:
        """Return the files that parts write their spans to, those of the past included."""
        return replica_command.span_files(self._folder)

    def start(self) -> None:
        """Start everything and wait until it is ready.

        Raises:
            BadInput: a binary is missing, the entry's port is taken, or too few files may be open; nothing was
                started then.
            PartFailed: a part did not become ready.
        """
        found = self._binaries()
        limit = descriptors.raise_limit()
        connections = descriptors.balancer_connections(limit) if self.deployment.proxies() else 0
        self._parts_folder.mkdir()
        self._parts_folder.chmod(0o755)  # PostgreSQL's own user passes through here on the way to its data
        self.scaling.listen(self._entry_port)
        with self._listening() as sockets:
            for name in self.deployment.databases():
                self._databases(found["postgres"]).start(name)
            for name, cache in (self.deployment.caches() | self._counters()).items():
                self._start_cache(name, cache, found["valkey"])
            for name in self.deployment.queues():
                self._start_queue(name, found["valkey"])
            self.relays.start()
            (self._folder / "deployment.json").write_text(self.deployment.model_dump_json())
            for name in self.deployment.services():
                replica_command.ports_file(self._folder, name).write_text(json.dumps(self.relays.ports_of(name)))
            self._start_replicas(sockets)
            if self.deployment.proxies():
                self._start_haproxy(found["haproxy"], sockets, connections)
        wait_until_ready(self.deployment, found, parts=self.parts, launcher=self._launcher, watch=self._watch)
        self.scaling.begin()

    def stop(self) -> list[str]:
        """End every process; return the names of those that had to be killed."""
        self._watch.children.clear()
        for control in self.parts.caches.values():
            control.close()
        for queue in self.parts.queues.values():
            queue.close()
        self.replicas.close()
        self.relays.close()
        killed = stop(self._launcher.everything())
        self.parts.running.clear()
        for name, database in self.deployment.databases().items():
            for server in (name, *replica_names(name, database)):
                segment = postgres.shared_memory_segment(self._parts_folder / server / "data")
                if segment is not None:
                    postgres.remove_segment(segment)
        return killed

    def reset_databases(self) -> None:
        """Bring the databases back to how they were at the start."""
        for name, spec in self.deployment.databases().items():
            database_servers.reset(self.parts, self._watch, name, spec)

    def _binaries(self) -> dict[str, Binary]:
        """Find every server that the deployment needs, before anything is started."""
        found = {}
        if self.deployment.proxies():
            found["haproxy"] = binaries.haproxy()
        if self.deployment.caches() or self._counters() or self.deployment.queues():
            found["valkey"] = binaries.valkey()
        if self.deployment.databases():
            found["postgres"] = binaries.postgres()
        return found

    def _counters(self) -> dict[str, Cache]:
        """Return the Valkey servers that count for rate limiters; they forget nobody before their time."""
        limiters = self.deployment.rate_limiters().items()
        counts = Cache(kind="cache", eviction="noeviction")
        return {counters_of(name): counts for name, limiter in limiters if not limiter.in_haproxy}

    @contextmanager
    def _listening(self) -> Iterator[dict[str, socket.socket]]:
        """Bind a socket for each replica and load balancer, and close this process's copies afterwards.

        A copy that stayed open would go on accepting connections for a replica that is dead.
        """
        sockets: dict[str, socket.socket] = {}
        at_entry = self.deployment.behind(self.deployment.entry)
        entry = next(name for name in at_entry if name not in self.deployment.rate_limiters())
        try:
            for name, service in self.deployment.services().items():
                is_platform = self.deployment.is_platform(name)
                port = self._entry_port if name == entry and not is_platform else 0
                mine = {number: ports.listening_socket(port) for number in range(service.replicas)}
                sockets |= {f"{name}/{number}": bound for number, bound in mine.items()}
                self.parts.replica_ports[name] = {number: bound.getsockname()[1] for number, bound in mine.items()}
                if service.replicas == 1 and not is_platform:
                    self.parts.ports[name] = self.parts.replica_ports[name][0]
            for name in self.deployment.proxies():
                sockets[name] = ports.listening_socket(self._entry_port if name == entry else 0)
                self.parts.ports[name] = sockets[name].getsockname()[1]
            for name, limiter in self.deployment.rate_limiters().items():  # the replicas, or HAProxy, do its work
                self.parts.ports[name] = self.parts.ports[limiter.targets]
            yield sockets
        finally:
            for bound in sockets.values():
                bound.close()

    def _start_cache(self, name: str, spec: Cache, binary: Binary) -> None:
        self._launcher.starting(name)
        folder = self._parts_folder / name

        def build(port: int) -> Command:
            return valkey.command(part=name, binary=binary, port=port, folder=folder)

        def answers(port: int, pid: int) -> bool:
            self.parts.caches[name] = valkey.CacheControl(part=name, port=port, spec=spec)
            return self.parts.caches[name].answers_as(pid)

        port, child = self._launcher.start_on_free_port(name, build, answers)
        self.parts.ports[name] = port
        self._launcher.ready(name, child, port, binary)

    def _databases(self, binary: Binary) -> DatabaseServers:
        return DatabaseServers(
            deployment=self.deployment,
            binary=binary,
            folder=self._parts_folder,
            launcher=self._launcher,
            parts=self.parts,
            watch=self._watch,
        )

    def _start_queue(self, name: str, binary: Binary) -> None:
        self._launcher.starting(name)
        folder = self._parts_folder / name

        def build(port: int) -> Command:
            return streams.punctual(valkey.command(part=name, binary=binary, port=port, folder=folder))

        def answers(port: int, pid: int) -> bool:
            self.parts.queues[name] = streams.QueueControl(port=port)
            return self.parts.queues[name].answers_as(pid)

        port, child = self._launcher.start_on_free_port(name, build, answers)
        self.parts.ports[name] = port
        self.parts.queues[name].make_group()
        self._launcher.ready(name, child, port, binary)

    def _start_replicas(self, sockets: dict[str, socket.socket]) -> None:
        for name, service in self.deployment.services().items():
            for number in range(service.replicas):
                part = f"{name}/{number}"
                self._launcher.starting(part)
                command = replica_command.command(
                    folder=self._folder, service=name, replica=number, fd=sockets[part].fileno()
                )
                self._launcher.start(name, number, command)

    def _start_haproxy(self, binary: Binary, sockets: dict[str, socket.socket], connections: int) -> None:
        balancers = list(self.deployment.proxies())
        for name in balancers:
            self._launcher.starting(name)
        log_fd, notice_fd = (
            os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            for path in (self.haproxy_log, self.haproxy_notices)
        )
        fds = {name: sockets[name].fileno() for name in balancers}
        text = haproxy.render(
            self.deployment,
            haproxy.Frontends(
                fd_of=fds,
                replica_ports=self.parts.replica_ports,
                origin_ports={
                    name: self.relays.ports_of(name)[edge.targets]
                    for name, edge in self.deployment.edge_caches().items()
                },
                log_fd=log_fd,
                notice_fd=notice_fd,
                control=self.control,
                connections=connections,
            ),
        )
        configuration = self._folder / "haproxy.cfg"
        configuration.write_text(text)
        component = balancers[0] if len(balancers) == 1 else "haproxy"
        command = Command(
            part=component,
            arguments=[binary.path, "-db", "-f", configuration],
            log=self._folder / "haproxy.log",
            inherit=(*fds.values(), log_fd, notice_fd),
        )
        try:
            self._launcher.start(component, 0, command)
        finally:
            os.close(log_fd)
            os.close(notice_fd)
