"""PostgreSQL: a fresh cluster for each database, whose data need not outlive the run."""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # it ships no types

from reference_backend import tables
from reference_backend.binaries import Binary
from reference_backend.database import Database
from reference_backend.ports import LOOPBACK
from reference_backend.problems import BadInput
from reference_backend.processes import Command, Ending

# What is not PostgreSQL's default, and why. All of it is recorded with the run.
SETTINGS = {
    "fsync": "off",  # the data is thrown away, and the disk of a test machine is not what is studied
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",  # it would wake up in the middle of some runs and not of others
    "checkpoint_timeout": "1h",
    "max_wal_size": "4GB",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "shared_buffers": "64MB",
    "unix_socket_directories": "",
    "dynamic_shared_memory_type": "mmap",  # in the data folder, so that nothing stays in /dev/shm after a kill
    "listen_addresses": LOOPBACK,
}
_ORDINARY_USER = "nobody"
_IPC_RMID = 0
# An immediate shutdown, both when asked and when orphaned: it also gives back the System V shared memory segment.
ENDING = Ending(ask=signal.SIGQUIT, orphaned=signal.SIGQUIT)


def user_to_run_as() -> int | None:
    """Return the user id that PostgreSQL runs under: it refuses root, so root lends it an existing ordinary one."""
    if os.geteuid() != 0:
        return None
    import pwd

    try:
        return pwd.getpwnam(_ORDINARY_USER).pw_uid
    except KeyError as error:
        raise BadInput(
            "PostgreSQL",
            f"there is no user {_ORDINARY_USER!r} on this machine",
            why="PostgreSQL refuses to run as root, and no user is created behind your back",
            do="run as an ordinary user",
        ) from error


def may_pass(path: Path) -> bool:
    """Return whether any user may go into every folder above ``path``."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


def reachable(binary: Binary, user: int | None, folder: Path) -> Path:
    """Return a ``postgres`` that the user can run: the given one, or a copy (with its installation) in ``folder``."""
    path = binary.path.resolve()
    if user is None or (may_pass(path) and path.stat().st_mode & 0o001):
        return path
    root = path.parent.parent
    copy = folder / "postgres-installation" / root.name
    if not copy.exists():
        shutil.copytree(
            root,
            copy,
            symlinks=True,
            ignore=shutil.ignore_patterns("include", "*.a", "pkgconfig", "doc", "man"),
        )
        # The wheel keeps the libraries that it brings in a folder beside the package, and finds them by relative paths.
        libraries = root.parent.parent / f"{root.parent.name}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, folder / "libraries-of-postgres")
        for item in (folder / "postgres-installation", *copy.rglob("*")):
            if not item.is_symlink():
                item.chmod(0o755)
    return copy / "bin" / path.name


def library_path(folder: Path) -> dict[str, str]:
    """Return the environment that lets a copied installation find its copied libraries."""
    libraries = folder / "libraries-of-postgres"
    return {"LD_LIBRARY_PATH": str(libraries)} if libraries.is_dir() else {}


def initialisation(*, part: str, postgres: Path, user: int | None, folder: Path) -> Command:
    """Return how to make a fresh cluster in ``folder``."""
    data = folder / "data"
    data.mkdir(mode=0o700, parents=True)
    if user is not None:
        os.chown(data, user, user)
    arguments: list[str | Path] = [
        postgres.parent / "initdb", "-D", data, "-U", tables.USER, "--no-locale", "-E", "UTF8",
        "--auth=trust", "--no-sync", "--no-instructions",
    ]  # fmt: skip
    return Command(
        part=part,
        arguments=arguments,
        log=folder / "initdb.log",
        user=user,
        environment=library_path(folder.parent),
        folder=folder,
    )


def copying(*, part: str, postgres: Path, user: int | None, folder: Path, primary_port: int) -> Command:
    """Return how to make a replica's cluster in ``folder``: a copy of the primary as it is, and where to follow it."""
    data = folder / "data"
    data.mkdir(mode=0o700, parents=True)
    if user is not None:
        os.chown(data, user, user)
    arguments: list[str | Path] = [
        postgres.parent / "pg_basebackup", "-D", data, "-h", LOOPBACK, "-p", str(primary_port), "-U", tables.USER,
        "--no-password", "--wal-method=stream", "--checkpoint=fast", "--no-sync", "--write-recovery-conf",
    ]  # fmt: skip
    return Command(
        part=part,
        arguments=arguments,
        log=folder / "basebackup.log",
        user=user,
        environment=library_path(folder.parent),
        folder=folder,
    )


def replication_settings(spec: Database) -> dict[str, str]:
    """Return the settings that a database with replicas needs beside the usual ones."""
    if not spec.replicas:
        return {}
    settings = {
        # An asynchronous commit is sent to the replicas only when the log is flushed, up to 0.6 s later.
        "synchronous_commit": "remote_apply" if spec.synchronous_replicas else "local",
        # What a replica's readers still see must not be pruned, or it would hold up what it applies.
        "hot_standby_feedback": "on",
        "recovery_min_apply_delay": f"{round(spec.replication_lag_s * 1000)}ms",  # obeyed by the replicas alone
    }
    if spec.synchronous_replicas:
        settings["synchronous_standby_names"] = f"ANY {spec.synchronous_replicas} (*)"
    return settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server of a cluster that is there: which binary, whose, and with what settings beside the usual ones."""

    part: str
    postgres: Path
    user: int | None
    folder: Path
    settings: Mapping[str, str]

    def command(self, port: int) -> Command:
        """Return how to start it."""
        options = [word for name, value in {**SETTINGS, **self.settings}.items() for word in ("-c", f"{name}={value}")]
        return Command(
            part=self.part,
            arguments=[self.postgres, "-D", self.folder / "data", "-p", str(port), *options],
            log=self.folder / "log",
            user=self.user,
            ending=ENDING,
            environment=library_path(self.folder.parent),
            folder=self.folder,
        )


class DatabaseControl:
    """The supervisor's own way to a database server. A connection for each act: none stays open during a run."""

    def __init__(self, *, port: int) -> None:
        self._port = port

    def answers_from(self, data: Path) -> bool:
        """Return whether the server that listens there serves this data folder, and not another's."""
        try:
            return Path(str(self._ask("SELECT current_setting('data_directory')"))) == data
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False  # not up yet: the caller asks again until its deadline

    def execute(self, statements: Sequence[str]) -> None:
        """Run statements one after the other, each of which commits by itself."""

        async def act() -> None:
            connection = await self._connect()
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(act())

    def log_position(self) -> str:
        """Return how far the primary has written its log."""
        return str(self._ask("SELECT pg_current_wal_lsn()::text"))

    def has_applied(self, position: str) -> bool:
        """Return whether a replica has applied the primary's log up to a position."""
        return bool(self._ask(f"SELECT pg_last_wal_replay_lsn() >= '{position}'::pg_lsn"))

    def _ask(self, statement: str) -> object:
        async def act() -> object:
            connection = await self._connect()
            try:
                return await connection.fetchval(statement)
            finally:
                await connection.close()

        return asyncio.run(act())

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            host=LOOPBACK,
            port=self._port,
            user=tables.USER,
            database=tables.DATABASE,
            timeout=2.0,
            command_timeout=60.0,
            ssl=False,
            server_settings={"synchronous_commit": "local"},  # there may be no replica yet to wait for
        )


def shared_memory_segment(data: Path) -> int | None:
    """Return the id of the System V segment that a cluster holds, as its lock file says; a clean end removes both."""
    lock = data / "postmaster.pid"
    # The seventh line holds the key and the id; it is there once the server has got that far.
    words = "".join(lock.read_text().splitlines()[6:7]).split() if lock.exists() else []
    return int(words[1]) if words else None


def remove_segment(segment: int) -> None:
    """Remove a System V segment that a killed server could not give back itself; one that is gone is fine."""
    ctypes.CDLL(None).shmctl(segment, _IPC_RMID, None)
