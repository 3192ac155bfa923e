"""A replica's connections to the databases: opened at start, then reused."""

from __future__ import annotations

import asyncio
import time

from sqlalchemy import TextClause, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from reference_backend import tables
from reference_backend.deployment import Database
from reference_backend.ports import LOOPBACK
from reference_backend.spans import Trace

# A refused or broken connection reaches us as OSError, anything that the server answered as SQLAlchemyError.
_DATABASE_ERRORS = (SQLAlchemyError, OSError)


class StoreFailed(Exception):
    """A database did not do what it was asked; the request answers 500."""


class DatabaseClient:
    """One database, as a replica uses it: SQLAlchemy's pool of this process."""

    def __init__(self, *, name: str, spec: Database, port: int) -> None:
        self._name = name
        self._rows = spec.rows
        self._size = spec.pool.size
        self._queries: dict[str, TextClause] = {
            query: text(tables.STATEMENTS[shape.statement]) for query, shape in spec.queries.items()
        }
        self._engine: AsyncEngine = create_async_engine(
            f"postgresql+asyncpg://{tables.USER}@{LOOPBACK}:{port}/{tables.DATABASE}",
            isolation_level="AUTOCOMMIT",
            pool_size=spec.pool.size,
            max_overflow=spec.pool.overflow,
            pool_timeout=spec.pool.timeout_s,
            connect_args={"ssl": False},
        )

    async def open(self) -> None:
        """Open every connection of the pool and prepare every statement on it."""
        opened = [await self._engine.connect() for _ in range(self._size)]
        for connection in opened:
            for statement in self._queries.values():
                await connection.execute(statement, {"key": 0, "demand": 0.0})
        await asyncio.gather(*(connection.close() for connection in opened))

    async def run(self, query: str, key: int, demand_s: float, trace: Trace) -> None:
        """Run one query on a connection of the pool."""
        since_s = time.monotonic()
        connected_s: float | None = None
        values = {"key": key % self._rows, "demand": tables.sleep_argument(demand_s)}
        try:
            async with self._engine.connect() as connection:
                connected_s = time.monotonic()
                (await connection.execute(self._queries[query], values)).all()
                trace.add_query(self._name, query, since_s=since_s, connected_s=connected_s, outcome="ok")
        except PoolTimeout as error:
            trace.add_query(self._name, query, since_s=since_s, connected_s=None, outcome="timeout")
            raise StoreFailed("no connection of the pool became free in time") from error
        except _DATABASE_ERRORS as error:
            trace.add_query(self._name, query, since_s=since_s, connected_s=connected_s, outcome="error")
            raise StoreFailed(str(error)) from error

    async def close(self) -> None:
        """Close the pool."""
        await self._engine.dispose()
