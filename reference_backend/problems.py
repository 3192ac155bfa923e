"""What can go wrong, told so that a reader can act on it.

::

    Problem             where it is, what is wrong, why it matters, what to do
    |-- BadInput        the caller asked for something impossible        (exit code 2)
    |-- PartFailed      a real server or the generator broke down        (exit code 3)
    `-- Interrupted     a signal came, or the parent process went away   (exit code 128 + signal)
"""

from __future__ import annotations

import signal


class Problem(Exception):
    """Something that the backend can explain."""

    exit_code = 3

    def __init__(self, where: str, what: str, *, why: str, do: str) -> None:
        super().__init__(f"{where}: {what}. {why}. {do}.")
        self.where = where
        self.what = what
        self.why = why
        self.do = do


class BadInput(Problem):
    """The caller asked for something impossible."""

    exit_code = 2


class PartFailed(Problem):
    """A part did not start, or died while it was needed."""


class Interrupted(Problem):
    """The run was ended from outside before it was done."""

    def __init__(self, signal_number: int, what: str) -> None:
        super().__init__(
            "supervisor",
            what,
            why="the run ended before its results were complete",
            do="start it again if it was not meant to end",
        )
        self.exit_code = 128 + signal_number
        self.is_by_parent = False

    @classmethod
    def by_signal(cls, signal_number: int) -> Interrupted:
        """Return the interruption that a signal stands for."""
        return cls(signal_number, f"{signal.Signals(signal_number).name} was received")

    @classmethod
    def by_parent(cls) -> Interrupted:
        """Return the interruption by a parent that closed the lifeline (or died)."""
        interrupted = cls(signal.SIGTERM, "the parent process closed the lifeline")
        interrupted.is_by_parent = True
        return interrupted
