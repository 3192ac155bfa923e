"""Store and forward: messages are kept for their recipients until a worker has delivered them.

Each key is a recipient. A message is written when it is sent; the work on what was published about a recipient takes
their oldest message that is not delivered yet, whoever else is at it, and marks it.
"""

from __future__ import annotations

from reference_backend.catalogue import Schema, Sizes, Statement


def _create(sizes: Sizes) -> tuple[str, ...]:
    return (
        "CREATE TABLE recipients (id bigint PRIMARY KEY, device text NOT NULL)",
        f"INSERT INTO recipients SELECT id, md5(id::text) FROM generate_series(0, {sizes.rows} - 1) AS id",
        "CREATE TABLE messages (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, recipient bigint NOT NULL "
        "REFERENCES recipients, body text NOT NULL, sent_at timestamptz NOT NULL DEFAULT clock_timestamp(), "
        "delivered_at timestamptz)",
        "CREATE INDEX messages_to_deliver ON messages (recipient, id) WHERE delivered_at IS NULL",
    )


def _insert(sizes: Sizes) -> str:
    return (
        "INSERT INTO messages (recipient, body) VALUES "
        f"(CAST(:key AS bigint) % {sizes.rows}, repeat(md5(CAST(:key AS text)), 8)) RETURNING id"
    )


def _deliver(sizes: Sizes) -> str:
    return (
        "UPDATE messages SET delivered_at = clock_timestamp() WHERE id = (SELECT id FROM messages "
        f"WHERE recipient = CAST(:key AS bigint) % {sizes.rows} AND delivered_at IS NULL "
        "ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id"
    )


MESSAGES = Schema(
    tables=("recipients", "messages"),
    create=_create,
    reset=("TRUNCATE messages RESTART IDENTITY",),
    statements={
        "message_insert": Statement("insert", _insert),
        "message_deliver": Statement("update", _deliver),
    },
)
