"""Starting the servers of a database: a primary with its tables, then the replicas that follow it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reference_backend import postgres, tables
from reference_backend.binaries import Binary
from reference_backend.database import Database
from reference_backend.deployment import Deployment
from reference_backend.launching import Launcher
from reference_backend.parts import Parts
from reference_backend.processes import Command
from reference_backend.references import walk
from reference_backend.watch import Watch

# For the supervisor's own, and for the replicas and the copies that they begin as.
_MORE_CONNECTIONS = 10
_CATCH_UP_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseServers:
    """Starts PostgreSQL for the databases of a deployment."""

    deployment: Deployment
    binary: Binary
    folder: Path
    launcher: Launcher
    parts: Parts
    watch: Watch

    def start(self, name: str) -> None:
        """Start a database's primary, fill its tables, and start its replicas as copies of it."""
        spec = self.deployment.databases()[name]
        user = postgres.user_to_run_as()
        server = postgres.reachable(self.binary, user, self.folder)
        folder = self._folder_for(name)
        self._prepare(name, postgres.initialisation(part=name, postgres=server, user=user, folder=folder))
        port = self._start_server(self._server(name, spec, server, user), name, 0)
        self.parts.databases[name].execute(tables.creation(spec))
        for number, replica in enumerate(tables.replica_names(name, spec), start=1):
            folder = self._folder_for(replica)
            copying = postgres.copying(part=replica, postgres=server, user=user, folder=folder, primary_port=port)
            self._prepare(replica, copying)
            self._start_server(self._server(replica, spec, server, user), name, number)

    def _server(self, part: str, spec: Database, binary: Path, user: int | None) -> postgres.Server:
        name = part.partition(".")[0]
        # A replica needs room for as many connections as its primary has.
        connections = connections_to(self.deployment, name) + _MORE_CONNECTIONS + spec.replicas
        return postgres.Server(
            part=part,
            postgres=binary,
            user=user,
            folder=self.folder / part,
            settings={"max_connections": str(connections), **postgres.replication_settings(spec)},
        )

    def _folder_for(self, part: str) -> Path:
        folder = self.folder / part
        folder.mkdir()
        folder.chmod(0o755)
        return folder

    def _prepare(self, part: str, preparation: Command) -> None:
        self.launcher.starting(part)
        self.launcher.run_to_end(preparation)

    def _start_server(self, server: postgres.Server, component: str, replica: int) -> int:
        def answers(port: int, pid: int) -> bool:
            self.parts.databases[server.part] = postgres.DatabaseControl(port=port)
            return self.parts.databases[server.part].answers_from(server.folder / "data")

        port, child = self.launcher.start_on_free_port(component, server.command, answers, replica=replica)
        self.parts.ports[server.part] = port
        self.launcher.ready(server.part, child, port, self.binary)
        return port


def connections_to(deployment: Deployment, database: str) -> int:
    """Return how many connections all pools together may open to each server of a database."""
    pool = deployment.databases()[database].pool
    users = 0
    for service in deployment.services().values():
        steps = (step for endpoint in service.endpoints.values() for _, step in walk(endpoint.steps, ""))
        if any(step.kind == "query" and step.database == database for step in steps):
            users += service.most_processes
    return users * (pool.size + pool.overflow)


def reset(parts: Parts, watch: Watch, name: str, spec: Database) -> None:
    """Undo what requests have written to a database, and wait until its replicas have heard of it."""
    primary = parts.databases[name]
    primary.execute(tables.resetting(spec))
    position = primary.log_position()
    for replica in tables.replica_names(name, spec):
        control = parts.databases[replica]
        watch.until(
            lambda control=control: control.has_applied(position),  # type: ignore[misc]  # bound now, asked later
            part=replica,
            what="catching up with its primary",
            within_s=_CATCH_UP_S + spec.replication_lag_s,
        )
