"""Which servers of a database a statement goes to: the primary, its replicas, or both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, assert_never

from lab.scenario.database import Database
from lab.scenario.steps import QueryStep, TransactionStep, walk

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario

Role = Literal["primary", "replicas"]


Shares = Mapping[Role, float]


def shares(database: Database, *, writes: bool) -> Shares:
    """Return the share of statements that goes to the primary, and to all replicas together.

    What ``read_your_writes`` pins to the primary is left out: that hangs on how often each key is written.
    """
    if writes or database.replicas == 0:
        return {"primary": 1.0}
    policy = database.read_policy
    match policy:
        case "primary":
            return {"primary": 1.0}
        case "any":
            return {"primary": 1 / (database.replicas + 1), "replicas": database.replicas / (database.replicas + 1)}
        case "replicas" | "read_your_writes":
            return {"replicas": 1.0}
        case _:
            assert_never(policy)


def transaction_writes(scenario: Scenario, step: TransactionStep) -> bool:
    """Return whether any statement of the transaction writes or locks, so that it must go to the primary."""
    database = scenario.components[step.database]
    assert isinstance(database, Database)  # the consistency check of the scenario has seen to it
    queries = [each for each in walk(step.steps) if isinstance(each, QueryStep) and each.database == step.database]
    return not all(database.queries[query.query].may_go_to_a_replica for query in queries)
