"""What a database promises: its places, its connections, and fresh reads where all come from the primary."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from lab.runs.run import Run
from lab.scenario.components import Database, Service
from lab.scenario.scenario import Scenario
from lab.scenario.service import every_step
from lab.scenario.shards import ShardOf, places_of
from lab.scenario.steps import QueryStep
from lab.validation.transaction_laws import broken_commit_laws, broken_lock_laws, done_twice


def database_places(scenario: Scenario, component: str) -> tuple[int | None, bool]:
    """Return how much is done at once at a row of a database, and whether who waits there can have any of the places.

    The rows ``name`` and ``name.replica_n`` tell the calling process alone, so the pools of several services to one
    server count together; ``name.server`` is a server of its own. Rows that are locked, and commits that wait for
    replicas, have no limit in all.
    """
    name, _, rest = component.partition(".")
    part = rest.rpartition(".")[2]  # behind the shard, where there are shards
    database = scenario.components[name]
    assert isinstance(database, Database)
    if part == "server":
        return database.cores, True
    if part in ("lock", "once", "replication"):
        return None, True
    callers = _callers(scenario, name)
    return (database.pool.size + database.pool.overflow) * callers, callers == 1


def _callers(scenario: Scenario, database: str) -> int:
    """How many services send statements to the database."""
    services = (part for part in scenario.components.values() if isinstance(part, Service))
    return sum(
        any(isinstance(step, QueryStep) and step.database == database for step in every_step(service))
        for service in services
    )


def broken_database_laws(scenario: Scenario, run: Run) -> Iterator[str]:
    """Yield a sentence for each promise that a database of the Run breaks."""
    for name, part in scenario.components.items():
        if isinstance(part, Database) and name not in run.provenance.get("own_components", []):
            for place in places_of(name, part):
                yield from _connections(place, part, run)
                yield from _fresh_reads(place, part, run)
                yield from broken_lock_laws(part, place, run.requests, run.visits)
                yield from broken_commit_laws(scenario, place, run.visits, run.events)
                yield from done_twice(scenario, place, run.visits)
            if part.shards > 1:
                yield from _shards(scenario, name, part, run)


def _shards(scenario: Scenario, name: str, database: Database, run: Run) -> Iterator[str]:
    """A key is asked for at its own shard alone."""
    shard_of = ShardOf(database, scenario)
    own = run.requests["replication"].to_numpy(), run.requests["request"].to_numpy()
    shards = pd.Series(shard_of.column(run.requests["key"].to_numpy()), index=pd.MultiIndex.from_arrays(own))
    for number, place in enumerate(places_of(name, database)):
        rows = run.visits[run.visits["component"].astype(str).str.match(rf"{place}(\.|$)")]
        asked = shards.reindex(pd.MultiIndex.from_frame(rows[["replication", "request"]]))
        strangers = int((asked != number).sum())
        if strangers:
            yield f"shards: {strangers} visits to {place} were about keys that belong to another shard"


def _connections(name: str, database: Database, run: Run) -> Iterator[str]:
    """Never more connections open at a server than it has room for."""
    if database.max_connections is None:
        return
    samples = run.samples
    most = samples[(samples["component"] == name) & (samples["gauge"] == "connections_open")]["value"].max()
    if most > database.max_connections:
        yield f"connections: {most:g} were open at a server of {name}, which has room for {database.max_connections}"


def _fresh_reads(name: str, database: Database, run: Run) -> Iterator[str]:
    """Who reads from the primary alone never reads what was overwritten."""
    if database.read_policy != "primary":
        return
    rows = run.visits[run.visits["component"] == f"{name}.server"]
    stale = int(rows["stale"].fillna(False).astype(bool).sum())
    if stale:
        yield f"fresh reads: {stale} reads of {name} were stale, though all of them go to its primary"
