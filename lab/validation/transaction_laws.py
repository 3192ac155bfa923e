"""What transactions promise: a row is changed by one at a time, in order, and each is committed once, or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pandas as pd

from lab.scenario.busy_wait import busy_delays_s
from lab.scenario.components import Database, Service
from lab.scenario.faults import FailoverFault
from lab.scenario.replicas import processes_end
from lab.scenario.scenario import Scenario
from lab.scenario.service import every_step
from lab.scenario.steps import TransactionStep

_TOLERANCE_S = 1e-9  # beyond the rounding of sums of times
_COMMIT, _TRANSACTION = "commit", "transaction"  # operations of the rows that tell of them


def broken_lock_laws(database: Database, name: str, requests: pd.DataFrame, visits: pd.DataFrame) -> Iterator[str]:
    """Yield what is broken of: one holder of a row at a time, first come first served, and nobody waits for nobody.

    Of an SQLite file: one writer at a time, whoever looks first; a wait is as long as its sleeps.
    """
    locks = visits[visits["component"] == f"{name}.lock"]
    if locks.empty:
        return
    keys = requests.set_index(["replication", "request"])["key"]
    whose = pd.MultiIndex.from_frame(locks[["replication", "request"]])
    polling = database.engine == "sqlite"
    locks = locks.assign(key=0 if polling else keys.reindex(whose).to_numpy())
    held = locks[locks["admitted_s"].notna()].sort_values(["admitted_s", "departure_s", "arrival_s"])
    before = held.groupby(["replication", "key"], observed=True)[["departure_s", "arrival_s", "admitted_s"]].shift(1)
    later = before["admitted_s"].notna()
    free_s = before["departure_s"].fillna(float("inf"))  # of one that is held to the end of the run
    together = held[later & (held["admitted_s"] < free_s - _TOLERANCE_S)]
    if len(together):
        yield f"row locks: {len(together)} times a row of {name} was given to somebody while another one held it"
    if polling:
        yield from _sleeps(database, name, held)
        return
    overtaken = held[later & (held["arrival_s"] < before["arrival_s"] - _TOLERANCE_S)]
    if len(overtaken):
        yield f"row locks: {len(overtaken)} times a row of {name} was given to who came later before who came first"
    waited = held["waiting_time_s"] > _TOLERANCE_S
    idle = held[waited & ~((held["admitted_s"] - before["departure_s"]).abs() <= _TOLERANCE_S)]
    if len(idle):
        yield f"row locks: {len(idle)} times somebody waited for a row of {name} that nobody held"


def _sleeps(database: Database, name: str, held: pd.DataFrame) -> Iterator[str]:
    """A writer looks at once, and then when it has slept."""
    slept_s = np.cumsum([0.0, *busy_delays_s(database.busy_timeout)])
    waits_s = held["waiting_time_s"].to_numpy()
    looks = np.minimum(np.searchsorted(slept_s, waits_s - _TOLERANCE_S), len(slept_s) - 1)
    woken = int((np.abs(waits_s - slept_s[looks]) > _TOLERANCE_S).sum())
    if woken:
        yield f"polling: {woken} writers of {name} got its lock while they were asleep"


def broken_commit_laws(scenario: Scenario, name: str, visits: pd.DataFrame, events: pd.DataFrame) -> Iterator[str]:
    """Yield what is broken of: no transaction is committed twice, none that was answered was not, none is lost.

    A commit whose answer does not come back is in doubt: where servers, callers or the way between them fail it may
    be committed though its caller saw an error. An asynchronous failover loses commits; then nothing is promised.
    """
    database = scenario.components[name.partition(".")[0]]  # of which this may be a shard
    assert isinstance(database, Database)
    if {_COMMIT, _TRANSACTION} & set(database.queries):
        return  # their rows cannot be told from those of the transactions
    ended = visits[(visits["component"] == f"{name}.server") & (visits["operation"] == _COMMIT)]
    held = visits[visits["component"].astype(str).str.match(rf"{name}(\.replica_\d+)?$")]
    begun = held[held["operation"] == _TRANSACTION]
    which = ["replication", "request", "attempt"]
    committed = ended[ended["outcome"] == "ok"].groupby(which).size()
    answered = begun[begun["outcome"] == "ok"].groupby(which).size()
    open_ = begun[begun["outcome"] == "in_flight"].groupby(which).size()
    counts = pd.DataFrame({"committed": committed, "answered": answered, "open": open_}).fillna(0)
    short = counts[counts["committed"] < counts["answered"]]
    if len(short):
        yield f"no transaction lost: {len(short)} requests were told of a commit at {name} that was never made"
    twice = counts[counts["committed"] > counts["answered"] + counts["open"]]
    if len(twice) and not _in_doubt(scenario):
        yield f"no transaction twice: {len(twice)} requests had more commits at {name} than transactions"
    if database.synchronous_replicas:
        promoted = events[(events["component"] == name) & (events["kind"] == "promoted")]
        lost = sum(int(json.loads(detail)["lost_commits"]) for detail in promoted["detail"])
        if lost:
            yield f"no commit lost: {name} lost {lost} that were answered, though a replica had to have each of them"


def done_twice(scenario: Scenario, name: str, visits: pd.DataFrame) -> Iterator[str]:
    """Yield what is broken of: an idempotent transaction is committed once for a request, however often it comes.

    Where a failover may lose commits they are made again, and nothing is promised of an asynchronous one. Of a
    synchronous one those count that were answered: what no replica had was told of to nobody, and is made again.
    """
    database = name.partition(".")[0]
    services = [part for part in scenario.components.values() if isinstance(part, Service)]
    steps = [step for service in services for step in every_step(service)]
    all_ = [step for step in steps if isinstance(step, TransactionStep) and step.database == database]
    lost = any(isinstance(fault, FailoverFault) and fault.component == database for fault in scenario.faults)
    part = scenario.components[database]
    assert isinstance(part, Database)
    if (lost and not part.synchronous_replicas) or _COMMIT in part.queries:
        return
    if not all_ or not all(step.idempotent for step in all_):
        return
    told = f"{name}.replication" if lost else f"{name}.server"
    ended = visits[(visits["component"] == told) & (visits["operation"] == _COMMIT)]
    commits = ended[ended["outcome"] == "ok"].groupby(["replication", "request"]).size()
    twice = int((commits > len(all_)).sum())
    if twice:
        yield f"done once: {twice} requests had more commits at {name} than the {len(all_)} idempotent transactions"


def _in_doubt(scenario: Scenario) -> bool:
    services = [name for name, part in scenario.components.items() if isinstance(part, Service)]
    return bool(scenario.faults) or any(processes_end(scenario, name) for name in services)
