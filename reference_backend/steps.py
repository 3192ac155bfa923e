"""Running an endpoint's steps: the deployment's words, turned into real work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, assert_never

from sqlalchemy.ext.asyncio import AsyncConnection

from reference_backend.cached import Cached
from reference_backend.calls import Caller, Change
from reference_backend.computing import Computing
from reference_backend.databases import Asked, Conflict, DatabaseClient
from reference_backend.deployment import QueryStep, Step, TransactionStep
from reference_backend.publishing import Publisher
from reference_backend.spans import Trace
from reference_backend.work import PreciseSleep

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request at one endpoint, as its steps see it."""

    key: int
    demands_s: Sequence[float]
    trace: Trace
    held: Mapping[str, AsyncConnection] = field(default_factory=dict)  # by database, that of the transaction around


class BadDemands(ValueError):
    """The request does not carry the demands that its endpoint needs."""


def read_demands(header: str | None, count: int) -> tuple[float, ...]:
    """Return the demands of the header ``X-Demands`` in seconds; a request without the header runs demands of zero.

    Raises:
        BadDemands: their number is wrong, or one of them is no time.
    """
    if header is None:
        return (0.0,) * count
    try:
        demands = tuple(float(word) for word in header.split(",")) if header else ()
    except ValueError as error:
        raise BadDemands(f"X-Demands holds something that is no number: {header[:80]!r}") from error
    if len(demands) != count:
        raise BadDemands(f"X-Demands holds {len(demands)} times, but this endpoint takes {count}")
    if not all(0.0 <= demand < _DAY_S for demand in demands):
        raise BadDemands("X-Demands holds a time below zero, above a day, or not finite")
    return demands


def write_demands(demands_s: Sequence[float]) -> str:
    """Return the header ``X-Demands`` for these demands, exact to the last bit."""
    return ",".join(map(repr, demands_s))


class Steps:
    """Runs steps with the resources of this replica."""

    def __init__(
        self,
        *,
        sleep: PreciseSleep,
        computing: Computing,
        caches: Mapping[str, Cached],
        databases: Mapping[str, DatabaseClient],
        caller: Caller,
        publishers: Mapping[str, Publisher],
    ) -> None:
        self._sleep = sleep
        self._computing = computing
        self._caches = caches
        self._databases = databases
        self._caller = caller
        self._publishers = publishers
        self._factors: dict[Literal["cpu", "wait"], float] = {"cpu": 1.0, "wait": 1.0}

    def slow_down(self, steps: Literal["cpu", "wait"], factor: float) -> None:
        """Let the steps of a kind that begin from now on take ``factor`` times their demand; 1 is full speed."""
        self._factors[steps] = factor

    def forget(self) -> list[Change]:
        """Have the circuit breakers on calls be as at the start; return how they have changed until now."""
        return self._caller.forget()

    async def run(self, steps: Sequence[Step], visit: Visit) -> None:
        """Run steps one after another.

        Raises:
            StoreFailed: a database failed (or the pool's timeout passed).
            CallFailed: another service did not answer with success.
            PublishFailed: a queue did not take a message.
        """
        for step in steps:
            match step.kind:
                case "cpu":
                    since_s = time.monotonic()
                    demand_s = visit.demands_s[step.demand] * self._factors["cpu"]
                    self._computing.compute(step, demand_s, visit.trace)
                    visit.trace.worked(since_s)
                case "wait":
                    since_s = time.monotonic()
                    await self._sleep.sleep(visit.demands_s[step.demand] * self._factors["wait"])
                    visit.trace.worked(since_s)
                case "cached":
                    await self._caches[step.cache].run(visit.key, visit.trace, partial(self.run, step.miss, visit))
                case "invalidate":
                    await self._caches[step.cache].invalidate(visit.key, visit.trace)
                case "query":
                    await self._query(step, visit)
                case "transaction":
                    await self._transaction(step, visit)
                case "call":
                    handed_on = visit.demands_s[step.demands_from : step.demands_from + step.demands]
                    await self._caller.call(step, key=visit.key, demands=write_demands(handed_on), trace=visit.trace)
                case "publish":
                    carried = visit.demands_s[step.demands_from : step.demands_from + step.demands]
                    await self._publishers[step.queue].publish(visit.key, carried, visit.trace)
                case "thread":
                    await self._computing.in_thread(step, visit.demands_s, self._factors, visit.trace)
                case "parallel":
                    await self._branches(step.branches, visit)
                case _ as never:
                    assert_never(never)

    async def _query(self, step: QueryStep, visit: Visit) -> None:
        """Run a query as often as it is repeated."""
        database, held = self._databases[step.database], visit.held.get(step.database)
        for use in range(step.repeat):
            asked = Asked(query=step.query, key=visit.key, demand_s=visit.demands_s[step.demand + use], use=use)
            await (database.run(asked, visit.trace) if held is None else database.run_on(held, asked, visit.trace))

    async def _transaction(self, step: TransactionStep, visit: Visit) -> None:
        """Run steps in a transaction, again after each conflict for which a retry is left."""
        database = self._databases[step.database]
        for retry, backoff_s in enumerate((*step.backoffs_s, None)):
            demands_s = visit.demands_s[retry * step.demands :]  # what is done anew is drawn anew
            try:
                async with database.transaction(visit.trace) as connection:
                    held = {**visit.held, step.database: connection}
                    await self.run(step.steps, replace(visit, held=held, demands_s=demands_s))
            except Conflict:
                if backoff_s is None:
                    raise
            else:
                return
            since_s = time.monotonic()
            await self._sleep.sleep(backoff_s)
            visit.trace.worked(since_s)

    async def _branches(self, branches: Sequence[Sequence[Step]], visit: Visit) -> None:
        """Run branches at once; when all have ended, a failed one fails the whole."""
        results = await asyncio.gather(*(self.run(branch, visit) for branch in branches), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
