"""Laws of the clients: what their patience, budgets and number promise, whatever stands behind the entry."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from lab.runs.window import by_replication
from lab.scenario.scenario import Scenario
from lab.scenario.workload import ClosedWorkload, SessionsWorkload

_ROUNDING_S = 1e-9
_ROUNDING = 1e-6


def broken_client_laws(scenario: Scenario, requests: pd.DataFrame, *, replayed: bool) -> Iterator[str]:
    """Yield a sentence with numbers for each law that the requests of a predicted Run break.

    Args:
        scenario: what was simulated.
        requests: the requests table.
        replayed: whether another Run's schedule was sent, so that nobody waited for answers before asking anew.
    """
    yield from _attempts(scenario, requests)
    yield from _deadline(scenario, requests)
    for replication, own in by_replication(requests):
        yield from _budget(scenario, own, replication)
        if not replayed:
            yield from _one_at_a_time(scenario, own, replication)


def _attempts(scenario: Scenario, requests: pd.DataFrame) -> Iterator[str]:
    """Never more attempts than the client makes; none at all only where something may hold it back."""
    client = scenario.client
    most, least = client.attempts, int(client.circuit_breaker is None and client.throttle is None)
    unsent = requests[requests["start_s"].notna() & (requests["attempts"] == 0)]
    if not (unsent["outcome"] == "rejected").all():
        yield f"attempts: {len(unsent)} requests were held back, but not all of them are rejected"
    started = requests.loc[requests["start_s"].notna(), "attempts"]
    if not started.between(least, most).all():
        yield f"attempts: {started.min()} to {started.max()} a request, but clients make {least} to {most}"


def _deadline(scenario: Scenario, requests: pd.DataFrame) -> Iterator[str]:
    """No request outlasts the deadline, whether it has ended or is in flight."""
    deadline_s = scenario.client.deadline
    if deadline_s is None:
        return
    took_s = (requests["end_s"].fillna(scenario.run.duration) - requests["intended_start_s"]).max()
    if took_s > deadline_s + _ROUNDING_S:
        yield f"deadline: a request took {took_s:.9f} s, but clients give up for good after {deadline_s} s"


def _budget(scenario: Scenario, own: pd.DataFrame, replication: int) -> Iterator[str]:
    """Retries (or copies) of those who share a budget: never more than the burst and what their requests put in."""
    budget = scenario.client.budget
    if budget is None:
        return
    who = _clients(scenario, own) if budget.scope == "per_client" else np.zeros(len(own))
    started = own["start_s"].notna()
    grouped = (own["attempts"] - 1).clip(lower=0)[started].groupby(who[started])
    spent, asked = grouped.sum(), grouped.size()
    over = spent - (budget.burst + budget.ratio * asked)
    if (over > _ROUNDING).any():
        most = int(np.argmax(over))
        yield (
            f"retry budget: {spent.iloc[most]} retries of {asked.iloc[most]} requests in replication {replication}, "
            f"more than a burst of {budget.burst} and a ratio of {budget.ratio} pay for"
        )


def _one_at_a_time(scenario: Scenario, own: pd.DataFrame, replication: int) -> Iterator[str]:
    """A user or a session asks anew only after the answer to its last request; so no more ask than there are users."""
    if not isinstance(scenario.workload, ClosedWorkload | SessionsWorkload):
        return
    rows = own.assign(client=_clients(scenario, own)).sort_values(["client", "request"], kind="stable")
    same = rows["client"].diff() == 0
    early = same & ~(rows["intended_start_s"] >= rows["end_s"].shift())
    if early.any():
        row = rows[early].iloc[0]
        yield (
            f"one at a time: request {row['request']} of replication {replication} was asked at "
            f"{row['intended_start_s']:.6f} s, before the one before it had ended"
        )


def _clients(scenario: Scenario, own: pd.DataFrame) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """The number of the user or session that asked each request."""
    numbers = own["request"].to_numpy()
    workload = scenario.workload
    if isinstance(workload, ClosedWorkload):
        return numbers % workload.population
    return numbers // workload.longest if isinstance(workload, SessionsWorkload) else numbers
