"""The table of a database: how many rows it has by now."""

from __future__ import annotations

from lab.simulation.clock import Clock


class Table:
    """Rows that were there, that were inserted, and that others add as time goes by."""

    def __init__(self, *, clock: Clock, rows: int, growth_per_s: float) -> None:
        self._clock = clock
        self._written = rows
        self._growth_per_s = growth_per_s

    @property
    def rows(self) -> float:
        """How many there are now."""
        return self._written + self._growth_per_s * self._clock.now

    def insert(self, rows: int) -> None:
        """Add rows; a negative number takes back what was lost."""
        self._written += rows
