"""What is in the database, and the statements that work on it."""

from __future__ import annotations

from typing import Literal

USER = "lab"
DATABASE = "postgres"

CREATE = """
CREATE TABLE items (id bigint PRIMARY KEY, payload text NOT NULL);
CREATE TABLE inserted (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item bigint NOT NULL, payload text NOT NULL
);
"""
FILL = "INSERT INTO items SELECT id, repeat(md5(id::text), 4) FROM generate_series(0, $1::bigint - 1) AS id"
RESET = "TRUNCATE inserted RESTART IDENTITY"

STATEMENTS: dict[Literal["select", "insert"], str] = {
    "select": (
        "SELECT payload, pg_sleep(CAST(:demand AS double precision)) FROM items WHERE id = CAST(:key AS bigint)"
    ),
    "insert": (
        "WITH new AS (INSERT INTO inserted (item, payload) "
        "VALUES (CAST(:key AS bigint), repeat('x', 128)) RETURNING id) "
        "SELECT id, pg_sleep(CAST(:demand AS double precision)) FROM new"
    ),
}


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
