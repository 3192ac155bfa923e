"""A ledger of accounts: a transfer takes from the account of the request's key, gives to another one, and is booked.

The accounts that give and those that are given to are different ones, so that two transfers meet in the first alone,
or (rarely) in the second, and never wait for each other in a circle.
"""

from __future__ import annotations

from reference_backend.catalogue import Schema, Sizes, Statement

_BALANCE = 1_000_000
_KEY = "CAST(:key AS bigint)"
_AMOUNT = "1 + abs(CAST(:request AS bigint)) % 100"


def _create(sizes: Sizes) -> tuple[str, ...]:
    return (
        # Room in each page for the next version of a row, so that no change touches the index.
        "CREATE TABLE accounts (id bigint PRIMARY KEY, balance bigint NOT NULL) WITH (fillfactor = 50)",
        "CREATE TABLE ledger (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, debited bigint NOT NULL, "
        "credited bigint NOT NULL, amount bigint NOT NULL, booked_at timestamptz NOT NULL DEFAULT now())",
        f"INSERT INTO accounts SELECT id, {_BALANCE} FROM generate_series(0, 2 * {sizes.rows} - 1) AS id",
    )


def _credited(sizes: Sizes) -> str:
    """Return the account that is given to: another one for each request."""
    return f"{sizes.rows} + ({_KEY} + abs(CAST(:request AS bigint)) * 7919) % {sizes.rows}"


LEDGER = Schema(
    tables=("accounts", "ledger"),
    create=_create,
    reset=(
        "TRUNCATE ledger RESTART IDENTITY",
        f"UPDATE accounts SET balance = {_BALANCE} WHERE balance <> {_BALANCE}",
        "VACUUM ANALYZE accounts",
    ),
    statements={
        "ledger_balance": Statement("select", lambda _: f"SELECT balance FROM accounts WHERE id = {_KEY}"),
        "ledger_lock": Statement(
            "select_for_update", lambda _: f"SELECT balance FROM accounts WHERE id = {_KEY} FOR UPDATE"
        ),
        "ledger_debit": Statement(
            "update",
            lambda _: f"UPDATE accounts SET balance = balance - ({_AMOUNT}) WHERE id = {_KEY} RETURNING balance",
        ),
        # To the scenario it is one more statement of the transaction: the row that it changes is another one's.
        "ledger_credit": Statement(
            "update",
            lambda sizes: (
                f"UPDATE accounts SET balance = balance + ({_AMOUNT}) WHERE id = {_credited(sizes)} RETURNING balance"
            ),
        ),
        "ledger_book": Statement(
            "insert",
            lambda sizes: (
                "INSERT INTO ledger (debited, credited, amount) "
                f"VALUES ({_KEY}, {_credited(sizes)}, {_AMOUNT}) RETURNING id"
            ),
        ),
    },
)
