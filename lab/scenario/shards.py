"""Which shard of a database has which keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.randomness import splitmix64, splitmix64_array
from lab.scenario.database import Database
from lab.scenario.keys import CellKeys
from lab.scenario.mix import shares_by_key
from lab.scenario.workload import ReplayWorkload

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lab.scenario.scenario import Scenario


def places_of(name: str, database: Database) -> tuple[str, ...]:
    """Return the names of the shards of a database, as its rows tell them; its own where it has one server for all.

    >>> places_of("main", Database(pool={"size": 1}, queries={"get": "1ms"}, shards=2))
    ('main.shard_0', 'main.shard_1')
    """
    return (name,) if database.shards == 1 else tuple(f"{name}.shard_{shard}" for shard in range(database.shards))


class ShardOf:
    """The shard of a key: a hash of the key, or of its cell, modulo the number of shards.

    The hash is the finaliser of splitmix64, the same in every run: neighbours come to unrelated shards.
    """

    def __init__(self, database: Database, scenario: Scenario) -> None:
        keys = None if isinstance(scenario.workload, ReplayWorkload) else scenario.workload.keys
        together = database.shard_by == "cell" and isinstance(keys, CellKeys)
        self._together = keys.keys_per_cell if together and isinstance(keys, CellKeys) else 1
        self._shards = database.shards

    def __call__(self, key: int) -> int:
        """Return the number of the shard."""
        return splitmix64(key // self._together) % self._shards

    def column(self, keys: NDArray[Any]) -> NDArray[Any]:
        """Return the shards of many keys."""
        import numpy as np  # here, to keep reading scenarios quick

        hashed = splitmix64_array((keys // self._together).astype(np.uint64))
        return (hashed % np.uint64(self._shards)).astype(np.int64)


def hottest_share(database: Database, scenario: Scenario) -> float:
    """Return the share of all requests that are about keys of the shard that has most, at the start of the run."""
    import numpy as np  # here, to keep reading scenarios quick

    if database.shards == 1:
        return 1.0
    shares = shares_by_key(scenario)
    shards = ShardOf(database, scenario).column(np.arange(len(shares)))
    return float(np.bincount(shards, weights=shares).max())
