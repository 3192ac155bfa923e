"""What is in the database, and the statements that work on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_backend.catalogue import Kind, Schema, Sizes
from reference_backend.feed import FEED
from reference_backend.ledger import LEDGER
from reference_backend.messages import MESSAGES

if TYPE_CHECKING:
    from reference_backend.database import Database

USER = "lab"
DATABASE = "postgres"

# The tables of the real statements: made only where one of them is asked for.
SCHEMAS = (FEED, LEDGER, MESSAGES)
REAL = {name: statement for schema in SCHEMAS for name, statement in schema.statements.items()}

_KEY = "CAST(:key AS bigint)"
_SLEEP = "pg_sleep(CAST(:demand AS double precision))"
# How many changes of its key a statement finds: what a replica lacks of them tells that it is behind.
_VERSION = f"version + (SELECT count(*) FROM inserted WHERE item = {_KEY})"

_ITEMS = Schema(
    tables=("items", "inserted"),
    create=lambda sizes: (
        # Room for a changed row in its page, so that no change touches the index.
        "CREATE TABLE items (id bigint PRIMARY KEY, version bigint NOT NULL, payload text NOT NULL) "
        "WITH (fillfactor = 80)",
        "CREATE TABLE inserted (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item bigint NOT NULL, "
        "payload text NOT NULL)",
        "CREATE INDEX inserted_by_item ON inserted (item)",
        f"INSERT INTO items SELECT id, 0, repeat(md5(id::text), 4) FROM generate_series(0, {sizes.rows} - 1) AS id",
    ),
    reset=("TRUNCATE inserted RESTART IDENTITY", "UPDATE items SET version = 0 WHERE version <> 0"),
    statements={},
)


def sizes(spec: Database) -> Sizes:
    """Return how large the tables of a database are."""
    return Sizes(rows=spec.rows, posts=spec.posts)


def statement(spec: Database, query: str) -> str:
    """Return the SQL of a query of a database."""
    shape = spec.queries[query]
    if shape.real is not None:
        return REAL[shape.real].sql(sizes(spec))
    return _sleeping(shape.statement, versioned=spec.replicas > 0)


def _sleeping(kind: Kind, *, versioned: bool) -> str:
    """Return a statement that lasts as long as the request says; a row that it locks is locked for all that time."""
    version = f", {_VERSION} AS version" if versioned and kind in ("select", "select_for_update") else ""
    match kind:
        case "select":
            return f"SELECT payload{version}, {_SLEEP} FROM items WHERE id = {_KEY}"
        case "insert":
            return (
                f"WITH new AS (INSERT INTO inserted (item, payload) VALUES ({_KEY}, repeat('x', 128)) RETURNING id) "
                f"SELECT id, {_SLEEP} FROM new"
            )
        case "update":
            return (
                f"WITH changed AS (UPDATE items SET version = version + 1 WHERE id = {_KEY} RETURNING id) "
                f"SELECT id, {_SLEEP} FROM changed"
            )
        case "select_for_update":
            # In one query level it would sleep first and lock then.
            return (
                f"WITH held AS MATERIALIZED (SELECT payload, version FROM items WHERE id = {_KEY} FOR UPDATE) "
                f"SELECT payload{version}, {_SLEEP} FROM held"
            )


def _schemas(spec: Database) -> tuple[Schema, ...]:
    asked = {shape.real for shape in spec.queries.values()}
    return (_ITEMS, *(schema for schema in SCHEMAS if asked & set(schema.statements)))


def creation(spec: Database) -> tuple[str, ...]:
    """Return the statements that make and fill the tables of a database."""
    schemas = _schemas(spec)
    vacuums = [f"VACUUM ANALYZE {table}" for schema in schemas for table in schema.tables]
    return (*(line for schema in schemas for line in schema.create(sizes(spec))), *vacuums, "CHECKPOINT")


def resetting(spec: Database) -> tuple[str, ...]:
    """Return the statements that undo what requests have written."""
    return tuple(line for schema in _schemas(spec) for line in schema.reset)


def replica_names(name: str, spec: Database) -> tuple[str, ...]:
    """Return what the streaming replicas of a database are called."""
    return tuple(f"{name}.replica_{number}" for number in range(1, spec.replicas + 1))


def sleep_argument(demand_s: float) -> float:
    """Return what to ask of ``pg_sleep`` so that it lasts the demand, rounded to the nearest millisecond.

    PostgreSQL waits in whole milliseconds and rounds up, so a demand as it is would last 0.5 to 1 ms too long on
    average. Half a millisecond below a whole number of them ends on that number; the error that is left has mean zero
    (sd 0.3 ms).

    >>> sleep_argument(0.0043), sleep_argument(0.0047), sleep_argument(0.0002)
    (0.0035, 0.0045, 0.0)
    """
    milliseconds = round(demand_s * 1000)
    return 0.0 if milliseconds == 0 else (milliseconds - 0.5) / 1000
