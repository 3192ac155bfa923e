"""A replica's connections to a database: a pool of SQLAlchemy's for each of its servers, opened at start."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

from reference_backend import tables
from reference_backend.database import Database
from reference_backend.ports import LOOPBACK
from reference_backend.spans import Trace
from reference_backend.stores import StoreFailed

TRANSACTION = "transaction"  # the operation of the row that tells of one

# A refused or broken connection reaches us as OSError, anything that the server answered as SQLAlchemyError.
_DATABASE_ERRORS = (SQLAlchemyError, OSError)
_SERIALIZATION_FAILURE = "40001"
_PRIMARY = 0


class Conflict(StoreFailed):
    """Another transaction has committed what this one wanted to change (SQLSTATE 40001): it may be tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One use of a query: about which key, for how long where its time is drawn, and which use of its step it is."""

    query: str
    key: int
    demand_s: float
    use: int = 0


class DatabaseClient:
    """One database, as a replica uses it: the pools of this process."""

    def __init__(self, *, name: str, spec: Database, ports: Mapping[str, int]) -> None:
        self._name = name
        self._spec = spec
        self._servers = (name, *tables.replica_names(name, spec))
        self._engines = tuple(_engine(spec, ports[server]) for server in self._servers)
        self._queries: dict[str, TextClause] = {query: text(tables.statement(spec, query)) for query in spec.queries}

    async def open(self) -> None:
        """Open every connection of the pools and prepare every statement on it."""
        values = self._values(Asked(query="", key=0, demand_s=0.0), request=0)
        for number, engine in enumerate(self._engines):
            opened = [await engine.connect() for _ in range(self._spec.pool.size)]
            for connection in opened:
                # Other processes do the same at this time, so whatever it writes must wait for them, not fail.
                await connection.execution_options(isolation_level="READ COMMITTED")
                async with connection.begin():
                    for query, statement in self._queries.items():
                        if number == _PRIMARY or self._spec.queries[query].statement == "select":
                            await connection.execute(statement, values)
            await asyncio.gather(*(connection.close() for connection in opened))

    async def run(self, asked: Asked, trace: Trace) -> None:
        """Run one query on a connection of a pool; it commits by itself."""
        number = self._server_for(asked, trace)
        server = self._servers[number]
        since_s = time.monotonic()
        connected_s: float | None = None
        try:
            free = self._has_room(number)
            async with self._engines[number].connect() as connection:
                connected_s = since_s if free else time.monotonic()
                version = await self._execute(connection, asked, trace)
                if self._spec.replicas:
                    self._note(asked, trace, number, since_s=connected_s, version=version)
        except PoolTimeout as error:
            trace.add_query(server, asked.query, since_s=since_s, connected_s=None, outcome="timeout")
            raise _no_connection() from error
        except _DATABASE_ERRORS as error:
            trace.add_query(server, asked.query, since_s=since_s, connected_s=connected_s, outcome="error")
            raise _failure(error) from error
        # Given back by now, as whoever waits for it could tell.
        trace.add_query(server, asked.query, since_s=since_s, connected_s=connected_s, outcome="ok")

    @asynccontextmanager
    async def transaction(self, trace: Trace) -> AsyncIterator[AsyncConnection]:
        """Hold a connection to the primary between BEGIN and COMMIT, or ROLLBACK if the block fails.

        Raises:
            StoreFailed: there was no connection in time, or the commit failed (Conflict: over another transaction).
        """
        since_s = time.monotonic()
        connected_s: float | None = None
        isolation = self._spec.isolation.replace("_", " ").upper()
        try:
            free = self._has_room(_PRIMARY)
            async with self._engines[_PRIMARY].connect() as connection:
                connected_s = since_s if free else time.monotonic()
                await connection.execution_options(isolation_level=isolation)
                async with connection.begin():
                    yield connection
        except PoolTimeout as error:
            trace.add_query(self._name, TRANSACTION, since_s=since_s, connected_s=None, outcome="timeout")
            raise _no_connection() from error
        except BaseException as error:
            trace.add_query(self._name, TRANSACTION, since_s=since_s, connected_s=connected_s, outcome="error")
            if isinstance(error, _DATABASE_ERRORS):
                raise _failure(error) from error
            raise
        trace.add_query(self._name, TRANSACTION, since_s=since_s, connected_s=connected_s, outcome="ok")

    async def run_on(self, held: AsyncConnection, asked: Asked, trace: Trace) -> None:
        """Run one query on the connection of a transaction, which commits it later."""
        since_s = time.monotonic()
        try:
            await self._execute(held, asked, trace)
        except _DATABASE_ERRORS as error:
            trace.add_statement(self._name, asked.query, since_s=since_s, outcome="error")
            raise _failure(error) from error
        trace.add_statement(self._name, asked.query, since_s=since_s, outcome="ok")

    async def close(self) -> None:
        """Close the pools."""
        for engine in self._engines:
            await engine.dispose()

    async def _execute(self, connection: AsyncConnection, asked: Asked, trace: Trace) -> int | None:
        """Run a statement; return how many changes of its key it found, if it tells."""
        rows = (await connection.execute(self._queries[asked.query], self._values(asked, request=trace.request))).all()
        return getattr(rows[0], "version", None) if rows else None

    def _has_room(self, number: int) -> bool:
        """Return whether who asks now need not wait for others: what taking a connection costs is then its own work."""
        pool = self._engines[number].pool
        assert isinstance(pool, QueuePool)  # SQLAlchemy's own choice for a server
        return pool.checkedin() > 0 or pool.overflow() < self._spec.pool.overflow

    def _values(self, asked: Asked, *, request: int) -> dict[str, object]:
        demand = tables.sleep_argument(asked.demand_s)
        return {"key": asked.key % self._spec.rows, "demand": demand, "use": asked.use, "request": request}

    def _server_for(self, asked: Asked, trace: Trace) -> int:
        """Return the number of the server that a statement goes to: at random, but for each request the same."""
        policy = self._spec.read_policy
        if self._spec.queries[asked.query].statement != "select" or policy == "primary":
            return _PRIMARY
        said = f"{asked.query} {asked.use} {trace.request} {trace.attempt} {len(trace.rows)}"
        number = int.from_bytes(hashlib.blake2b(said.encode(), digest_size=8).digest())
        return number % (self._spec.replicas + 1) if policy == "any" else 1 + number % self._spec.replicas

    def _note(self, asked: Asked, trace: Trace, server: int, *, since_s: float, version: int | None) -> None:
        """Note what a statement found of its key, or that it changed it: a stale read is told from both later."""
        writes = self._spec.queries[asked.query].statement in ("insert", "update")
        if version is not None or writes:
            key = asked.key % self._spec.rows
            trace.versions.append((self._name, asked.query, key, since_s, time.monotonic(), version, server))


def _engine(spec: Database, port: int) -> AsyncEngine:
    settings = {"default_transaction_isolation": spec.isolation.replace("_", " ")}
    if spec.lock_timeout_s is not None:
        settings["lock_timeout"] = f"{max(1, round(spec.lock_timeout_s * 1000))}ms"
    return create_async_engine(
        f"postgresql+asyncpg://{tables.USER}@{LOOPBACK}:{port}/{tables.DATABASE}",
        isolation_level="AUTOCOMMIT",
        pool_size=spec.pool.size,
        max_overflow=spec.pool.overflow,
        pool_timeout=spec.pool.timeout_s,
        connect_args={"ssl": False, "server_settings": settings},
    )


def _no_connection() -> StoreFailed:
    return StoreFailed("no connection of the pool became free in time")


def _failure(error: BaseException) -> StoreFailed:
    """Return what a request is told of an error of the database."""
    state = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
    return (Conflict if state == _SERIALIZATION_FAILURE else StoreFailed)(str(error))
