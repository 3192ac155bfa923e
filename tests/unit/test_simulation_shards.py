"""Shards of a database: who has which key, whose pool is whose, what a fault strikes, worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab.errors import ScenarioError
from lab.randomness import splitmix64
from lab.scenario.arithmetic import arithmetic
from lab.scenario.components import Database
from lab.scenario.scenario import Scenario
from lab.scenario.shards import ShardOf, hottest_share
from tests.unit.backends import observe, scenario, service

_GET = {"kind": "query", "database": "main", "query": "get"}
_CHANGE = {"kind": "query", "database": "main", "query": "change"}
_QUERIES = {"get": "100ms", "change": {"statement": "update", "time": "100ms"}}


def _described(step: dict[str, Any] = _GET, *, faults: Any = (), keys: Any = None, **others: Any) -> Scenario:
    queries = {"get": "100ms"} if step is _GET else _QUERIES
    database = {"kind": "database", "pool": {"size": 1}, "round_trip": "0s", "queries": queries, "shards": 2}
    workload = {"kind": "open", "arrival_rate": "1/s", "endpoints": {"get": "100%"}}
    workload |= {"keys": keys or {"kind": "uniform", "count": 100}}
    return scenario({"api": service(step), "main": database | others}, workload=workload, faults=list(faults))


def _main(described: Scenario) -> Database:
    database = described.components["main"]
    assert isinstance(database, Database)
    return database


def _two_keys(described: Scenario) -> tuple[int, int]:
    """Return a key of shard 0 and one of shard 1."""
    shard_of = ShardOf(_main(described), described)
    return tuple(next(key for key in range(100) if shard_of(key) == shard) for shard in (0, 1))  # type: ignore[return-value]  # two of them


def _served(visits: pd.DataFrame) -> list[str]:
    return visits[visits["component"].str.startswith("main")].sort_values("request")["component"].tolist()


@pytest.mark.parametrize("cores", [None, 1], ids=["plain", "cores"])
def test_each_shard_has_a_pool_and_a_server_of_its_own(cores: int | None) -> None:
    """Two requests of one shard wait for its one connection; one of the other shard does not."""
    described = _described(cores=cores)
    one, other = _two_keys(described)
    requests, visits = observe(described, [0.0, 0.0, 0.0], keys=[one, one, other])
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.2, 0.1])
    pools = [place for place in _served(visits) if not place.endswith(".server")]
    assert pools == ["main.shard_0", "main.shard_0", "main.shard_1"]
    if cores:
        servers = visits[visits["component"].str.endswith(".server")].sort_values("request")["component"]
        assert servers.tolist() == ["main.shard_0.server", "main.shard_0.server", "main.shard_1.server"]


def test_keys_are_divided_by_their_hash() -> None:
    """The finaliser of splitmix64 modulo the shards: one by one as in columns, and about as many keys each."""
    described = _described(shards=7)
    shard_of = ShardOf(_main(described), described)
    column = shard_of.column(np.arange(20_000))
    assert [shard_of(key) for key in range(500)] == column[:500].tolist()
    assert shard_of(41) == splitmix64(41) % 7
    assert abs(np.bincount(column, minlength=7) - 20_000 / 7).max() < 4 * np.sqrt(20_000 / 7)


def test_keys_of_a_cell_live_together() -> None:
    """By cell all 50 are on one shard; by key they are spread."""
    cells = {"kind": "cells", "cells": 30, "keys_per_cell": 50}
    for shard_by, together in (("cell", True), ("key", False)):
        described = _described(shards=4, shard_by=shard_by, keys=cells)
        shards = ShardOf(_main(described), described).column(np.arange(1500)).reshape(30, 50)
        assert (shards.min(axis=1) == shards.max(axis=1)).all() == together
        assert set(shards.ravel().tolist()) == {0, 1, 2, 3}


def test_a_transaction_stays_on_its_shard() -> None:
    """Its statements, its lock and its commit."""
    transaction = {"kind": "transaction", "database": "main", "steps": [_CHANGE]}
    described = _described(transaction)
    one, other = _two_keys(described)
    requests, visits = observe(described, [0.0, 0.0], keys=[one, other])
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.1])
    of_first = visits[(visits["request"] == 0) & visits["component"].str.startswith("main")]
    assert set(of_first["component"]) == {"main.shard_0", "main.shard_0.server", "main.shard_0.lock"}


def test_a_fault_strikes_one_shard_or_all() -> None:
    """While shard 1 is down, shard 0 answers; when all crash, nobody does."""
    for which, outcomes in (({"shard": 1}, ["ok", "error", "ok", "ok"]), ({}, ["error", "error", "ok", "ok"])):
        fault = {"kind": "crash", "component": "main", "at": "1s", "restart_after": "2s"} | which
        described = _described(faults=[fault])
        one, other = _two_keys(described)
        requests, _ = observe(described, [2.0, 2.0, 4.0, 4.0], keys=[one, other, one, other])
        assert requests["outcome"].tolist() == outcomes


def test_one_shard_is_slow_another_hangs() -> None:
    """Each fault has its shard."""
    faults = [
        {"kind": "slow_down", "component": "main", "shard": 0, "factor": 3, "at": "1s", "duration": "5s"},
        {"kind": "hang", "component": "main", "shard": 1, "at": "1s", "duration": "5s"},
    ]
    described = _described(faults=faults)
    one, other = _two_keys(described)
    requests, _ = observe(described, [2.0, 2.0], keys=[one, other])
    assert requests["end_s"].tolist() == pytest.approx([2.3, 6.1])


def test_one_shard_fails_over() -> None:
    """Shard 1 takes no writes for 10 s, and the event says which it is."""
    fault = {"kind": "failover", "component": "main", "shard": 1, "at": "1s"}
    described = _described(_CHANGE, faults=[fault], replicas=1, failover_time="10s")
    one, other = _two_keys(described)
    requests, _ = observe(described, [2.0, 2.0, 20.0], keys=[one, other, other])
    assert requests["outcome"].tolist() == ["ok", "error", "ok"]


def test_two_shards_may_be_down_at_once_but_none_twice() -> None:
    """Of one shard, or of one and all, the first must be over before the next."""
    crash = {"kind": "crash", "component": "main", "at": "1s", "restart_after": "9s"}
    assert _described(faults=[crash | {"shard": 0}, crash | {"shard": 1}]).faults
    for second in ({"shard": 0}, {}):
        with pytest.raises(ScenarioError, match="is not over"):
            _described(faults=[crash | {"shard": 0}, crash | second])


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"component": "main", "shard": 2}, "shards are numbered from 0 to 1"),
        ({"component": "api", "shard": 0}, "only a database has shards"),
    ],
)
def test_a_fault_of_a_shard_that_is_not_there_is_refused(fault: dict[str, Any], says: str) -> None:
    """Numbers end; services have none."""
    with pytest.raises(ScenarioError, match=says):
        _described(faults=[{"kind": "crash", "at": "1s"} | fault])


def test_the_arithmetic_knows_the_shard_that_is_asked_most() -> None:
    """Of a Zipf law of 100 keys over 3 shards of 2 cores: its share, its cores, its pool."""
    zipf = {"kind": "zipf", "exponent": 1.0, "count": 100}
    described = _described(shards=3, cores=2, keys=zipf)
    weights = [1 / rank for rank in range(1, 101)]
    shards = [sum(weight for key, weight in enumerate(weights) if splitmix64(key) % 3 == each) for each in range(3)]
    share = max(shards) / sum(weights)
    assert hottest_share(_main(described), described) == pytest.approx(share)
    cores = arithmetic(described).row("main", "cores")
    assert (cores.arrival_rate_per_s, cores.servers) == (pytest.approx(share), 2)
    assert arithmetic(described).row("main", "connections").servers == 1
