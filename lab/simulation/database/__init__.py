"""A database: the pools of those who call it, and the servers behind them.

::

    a process of a service                                  the database
    step --> pool (size + overflow, FIFO, timeout) --> round trip --> server: cores (FIFO) --> answers

A database of which only pool, round trip and times are described is a :class:`PooledDatabase`: the pool is all there
is. Everything else (cores, connection cost, faults, ...) makes it a :class:`DatabaseClient` for each process that
calls, over one :class:`Cluster` of servers. Its rows then tell the two queues apart: ``main`` is a connection of the
pool (wait, round trip and connection cost), ``main.server`` the statement at the server (wait for a core, execution).

What else a statement waits for has rows of its own, from the wish to the end of its transaction: ``main.lock`` the row
that it changes (or the right to write an SQLite file), ``main.once`` an earlier attempt of the same request;
``main.replication`` is a commit that replicas must have before it is answered. A database of several shards is a
:class:`~lab.simulation.database.shards.Shards` over one of these for each, whose rows are ``main.shard_0`` and so on.
"""

from lab.simulation.database.client import DatabaseClient
from lab.simulation.database.cluster import Cluster
from lab.simulation.database.plain import PooledDatabase
from lab.simulation.database.pool import Pool
from lab.simulation.database.server import Server

__all__ = ["Cluster", "DatabaseClient", "Pool", "PooledDatabase", "Server"]
