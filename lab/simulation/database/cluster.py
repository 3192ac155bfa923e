"""The servers of one database, as faults and clients find them."""

from __future__ import annotations

from lab.simulation.clock import Clock
from lab.simulation.database.server import Server
from lab.simulation.database.table import Table


class Cluster:
    """The servers of one database: the primary, which takes the writes.

    Faults act on the primary; see :class:`~lab.simulation.database.server.Server` for what each does.

    Attributes:
        servers: the primary.
        table: its rows.
    """

    def __init__(self, *, clock: Clock, servers: tuple[Server, ...], table: Table) -> None:
        self.clock = clock
        self.servers = servers
        self.table = table
        self._primary = 0

    @property
    def primary(self) -> Server:
        """The server that takes the writes."""
        return self.servers[self._primary]

    def crash(self) -> None:
        """End everything under way on the primary in an error, and refuse whoever comes, until ``restart``."""
        self.primary.crash()

    def restart(self) -> None:
        """Bring the primary up again; connections of before stay broken."""
        self.primary.restart()

    def freeze(self) -> None:
        """Let the primary stand still: nothing fails, nothing is answered until ``thaw``."""
        self.primary.freeze()

    def thaw(self) -> None:
        """Let the primary go on from where it stood still."""
        self.primary.thaw()

    def slow_down(self, factor: float) -> None:
        """Let everything on the primary take ``factor`` times as long, what is under way included."""
        self.primary.slow_down(factor)

    def recover(self) -> None:
        """Let the primary be as fast as at first."""
        self.primary.recover()
