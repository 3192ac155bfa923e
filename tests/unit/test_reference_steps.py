"""The steps of an endpoint in a replica: what a transaction that is tried again is given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import TypeAdapter

from reference_backend.databases import Asked, Conflict
from reference_backend.deployment import TransactionStep
from reference_backend.steps import Steps, Visit

_STEP = TypeAdapter(TransactionStep).validate_python(
    {
        "kind": "transaction",
        "database": "main",
        "steps": [
            {"kind": "wait", "demand": 1},
            {"kind": "query", "database": "main", "query": "debit", "demand": 2},
        ],
        "backoffs_s": [0.5, 0.25],
        "demands": 2,
    }
)


class Ledger:
    """A database whose first transactions meet others at their commit."""

    def __init__(self, conflicts: int) -> None:
        self._conflicts = conflicts
        self.asked_s: list[float] = []

    @asynccontextmanager
    async def transaction(self, trace: object) -> AsyncIterator[object]:
        """Yield a connection; fail as often as was said."""
        yield object()
        self._conflicts -= 1
        if self._conflicts >= 0:
            raise Conflict("40001")

    async def run_on(self, held: object, asked: Asked, trace: object) -> None:
        """Note the demand of the statement."""
        self.asked_s.append(asked.demand_s)


def _run(ledger: Ledger) -> list[float]:
    """Return how long the steps slept, with demands of 1, 2, ... s."""
    slept_s: list[float] = []

    async def sleep(seconds: float) -> None:
        slept_s.append(seconds)

    none: Any = {}
    parts: Any = SimpleNamespace(sleep=sleep)
    databases: Any = {"main": ledger}
    steps = Steps(sleep=parts, computing=none, caches={}, databases=databases, caller=none, publishers={})
    trace: Any = SimpleNamespace(worked=lambda since_s: None)
    visit = Visit(key=1, demands_s=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0), trace=trace)
    asyncio.run(steps.run((_STEP,), visit))
    return slept_s


def test_each_try_has_demands_of_its_own() -> None:
    """The second try's are two places on, after the first wait before a retry."""
    ledger = Ledger(conflicts=1)
    assert _run(ledger) == [2.0, 0.5, 4.0]
    assert ledger.asked_s == [3.0, 5.0]


def test_the_last_conflict_is_told() -> None:
    """Two retries, three conflicts."""
    ledger = Ledger(conflicts=3)
    with pytest.raises(Conflict):
        _run(ledger)
    assert ledger.asked_s == [3.0, 5.0, 7.0]
