"""Which server of a database a read goes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from lab.randomness import Stream
from lab.simulation.clock import Clock
from lab.simulation.database.cluster import Cluster
from lab.simulation.database.replication import Replication
from lab.simulation.request import Request


class ReadPolicy(Protocol):
    """Chooses the server for a read."""

    def choose(self, request: Request) -> int:
        """Return the number of the server."""
        ...


class Primary:
    """Every read goes to the primary; the replicas stand by."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def choose(self, request: Request) -> int:
        """Return the primary."""
        return self._cluster.primary


class Spread:
    """Any of the servers that are up, each as likely as the other; the primary, if there is no replica left.

    Args:
        choice: by statement, what draws the server.
        with_primary: whether the primary is one of them.
    """

    def __init__(self, cluster: Cluster, *, choice: Mapping[str, Stream], with_primary: bool) -> None:
        self._cluster = cluster
        self._choice = choice
        self._with_primary = with_primary

    def choose(self, request: Request) -> int:
        """Draw one of them."""
        cluster = self._cluster
        servers = [number for number in cluster.replicas if cluster.servers[number].up]
        if self._with_primary or not servers:
            servers.append(cluster.primary)
        uniform = self._choice[request.operation].uniform(request.number, request.attempt, request.visit)
        return servers[int(uniform * len(servers))]


class ReadYourWrites:
    """Any replica, but for ``pin_s`` after a key was written it is read from the primary."""

    def __init__(self, spread: Spread, *, cluster: Cluster, replication: Replication, pin_s: float) -> None:
        self._spread = spread
        self._cluster = cluster
        self._clock: Clock = cluster.clock
        self._replication = replication
        self._pin_s = pin_s

    def choose(self, request: Request) -> int:
        """Return the primary for what was written lately, else draw a replica."""
        if self._replication.written_since(request.key, self._clock.now - self._pin_s):
            return self._cluster.primary
        return self._spread.choose(request)
