"""Databases in a deployment: transactions, real statements, replicas, and which reads of them were stale."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

import lab
from lab.errors import Unsupported
from lab.measurement.render import deployment
from reference_backend import tables
from reference_backend.clock import Clock
from reference_backend.database import Database
from reference_backend.problems import BadInput
from reference_backend.staleness import server_spans
from tests.unit.test_reference_deployment import example, put, read

CLOCK = Clock(zero_s=1000.0, wall_ahead_s=0.0)
ENDPOINT = "parts.profiles.endpoints.get"
DEBIT = {"kind": "query", "database": "main", "query": "debit", "demand": 0}
TRANSACTION = {"kind": "transaction", "database": "main", "steps": [DEBIT], "backoffs_s": [0.0, 0.01]}
TRANSFER = """
name: transfers
workload: {kind: open, arrival_rate: 20/s, endpoints: {transfer: 50%, page: 50%}}
entry: api
components:
  api:
    kind: service
    endpoints:
      transfer:
        - kind: transaction
          database: main
          retries: 3
          backoff: {kind: exponential, base: 10ms, cap: 30ms, jitter: none}
          steps:
            - {kind: query, database: main, query: balance}
            - {kind: wait, time: 5ms}
            - {kind: query, database: main, query: book}
      page: [{kind: query, database: main, query: author, repeat: 20}]
  main:
    kind: database
    pool: {size: 5}
    isolation: serializable
    queries:
      balance: {statement: select_for_update, time: 1ms, measured_as: ledger_lock}
      book: {statement: insert, time: 1ms, measured_as: ledger_book}
      author: {time: 1ms, measured_as: feed_author}
run: {duration: 20s}
"""


def with_debit(statement: str = "update", **database: Any) -> dict[str, Any]:
    """Return a deployment whose profiles debit an account in a transaction."""
    document = put(example(), f"{ENDPOINT}.steps", [copy.deepcopy(TRANSACTION)])
    document["parts"]["main"] |= database
    document["parts"]["main"]["queries"]["debit"] = {"statement": statement, "real": "ledger_debit"}
    return document


def test_a_transaction_keeps_connections_of_its_pool(tmp_path: Path) -> None:
    """A statement inside a transaction is a use of the database like any other."""
    assert read(tmp_path, with_debit()).services()["profiles"].endpoints["get"].steps[0].kind == "transaction"


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (with_debit("select"), "ledger_debit is of kind update, not select"),
        (with_debit(replicas=1), "has replicas"),
        (with_debit(synchronous_replicas=1), "there are only 0 replicas"),
        (with_debit(read_policy="any"), "no replicas to read from"),
        (put(with_debit(), f"{ENDPOINT}.steps.0.steps.0.repeat", 2), "demand 1 is outside"),
        (put(with_debit(), f"{ENDPOINT}.steps.0.steps", [TRANSACTION]), "another transaction"),
        (put(with_debit(), f"{ENDPOINT}.steps.0.steps", [{"kind": "wait", "demand": 0}]), "for nothing"),
        (put(with_debit(), f"{ENDPOINT}.steps.0.database", "other"), "'other' is not a database"),
    ],
)
def test_what_a_database_cannot_do_is_refused(tmp_path: Path, document: dict[str, Any], told: str) -> None:
    """Nothing is started for it."""
    with pytest.raises(BadInput, match=told):
        read(tmp_path, document)


def test_tables_of_real_statements_are_made_where_one_is_asked_for() -> None:
    """A database whose statements only sleep is ready sooner."""

    def made(**query: str) -> str:
        spec = {"kind": "database", "pool": {"size": 1}, "queries": {"one": query}}
        return " ".join(tables.creation(Database.model_validate(spec)))

    assert "accounts" in made(statement="update", real="ledger_debit")
    assert "posts" not in made(statement="update", real="ledger_debit")
    assert "accounts" not in made(statement="select")


def test_a_read_is_stale_if_it_found_less_than_was_committed() -> None:
    """One replica of the service writes key 7 at 1.0 s, the other reads it from a server that is behind."""
    wrote = [1, 0, [], [["main", "put", 7, 1000.9, 1001.0, None, 0]]]
    reads = [
        [2, 0, [], [["main", "get", 7, 1000.95, 1001.05, 0, 1]]],  # sent before the write was answered
        [3, 0, [], [["main", "get", 7, 1001.1, 1001.2, 0, 1]]],
        [4, 0, [], [["main", "get", 8, 1001.1, 1001.2, 0, 1]]],  # another key
        [5, 0, [], [["main", "get", 7, 1001.3, 1001.4, 1, 1]]],  # by now it is there
        [6, 0, [["main", 0, "get", 1001.3, 1001.3, 1001.4, 0.0, 0.1, "ok", None]]],  # a line of a part without replicas
    ]
    texts = [json.dumps(wrote), "\n".join(map(json.dumps, reads))]
    spans = {span["request"]: span for span in server_spans(texts, CLOCK)}
    assert {request: span["stale"] for request, span in spans.items()} == {
        1: None,
        2: False,
        3: True,
        4: False,
        5: False,
    }
    assert (spans[3]["component"], spans[3]["replica"]) == ("main.server", 1)


def test_transactions_reach_the_deployment_with_their_retries() -> None:
    """Each retry has the wait before it; a query that repeats has as many demands."""
    document = deployment(lab.parse_scenario(TRANSFER))
    endpoints = document["parts"]["api"]["endpoints"]
    (transaction,) = endpoints["transfer"]["steps"]
    assert transaction["backoffs_s"] == pytest.approx([0.01, 0.02, 0.03])
    assert [step["demand"] for step in transaction["steps"]] == [0, 1, 2]
    assert (transaction["demands"], endpoints["transfer"]["demands"]) == (3, 12)  # for the first try and three retries
    assert endpoints["transfer"]["method"] == "POST"
    assert (endpoints["page"]["steps"][0]["repeat"], endpoints["page"]["demands"]) == (20, 20)
    assert document["parts"]["main"]["isolation"] == "serializable"
    assert document["parts"]["main"]["queries"]["balance"] == {
        "statement": "select_for_update",
        "real": "ledger_lock",
    }


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"components.main.queries.author.measured_as": None, "components.main.cores": 1}, "cores.*sleeps"),
        (
            {"components.main.replicas": 1, "components.main.replication_lag": {"kind": "exponential", "mean": "1s"}},
            "not con",
        ),
        ({"components.main.replicas": 1, "components.main.read_policy": "read_your_writes"}, "read_your_writes"),
        (
            {"components.api.endpoints.transfer.0.backoff": {"kind": "constant", "delay": "1ms", "jitter": "full"}},
            "jitter",
        ),
        ({"components.api.endpoints.transfer.0.idempotent": True}, "idempotent"),
    ],
)
def test_what_cannot_be_measured_of_a_database_is_refused(changes: dict[str, Any], told: str) -> None:
    """With the key and why."""
    with pytest.raises(Unsupported, match=told):
        deployment(lab.parse_scenario(TRANSFER).with_(changes))
