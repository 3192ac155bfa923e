"""Every error that the lab raises on purpose, in one tree.

::

    LabError                    something the lab can explain
    |-- UsageError              the caller asked for something wrong            (exit code 2)
    |   |-- ScenarioError       a scenario says something impossible or unclear
    |   |-- DomainError         an argument lies outside a function's domain
    |   |-- Unsupported         a thing that the lab does not model (yet), refused with the reason
    |   `-- RunStorageError     a Run folder cannot be read or written
    |-- Unstable                the arithmetic says that a queue grows without bound
    |-- NotEnoughData           a figure was asked for that the data cannot give
    `-- MeasurementFailed       the real backend or its generator broke down    (exit code 3)
"""

from __future__ import annotations


class LabError(Exception):
    """Something that the lab can explain: the message says where, what, why and what to do."""


class UsageError(LabError):
    """The caller asked for something wrong."""


class DomainError(UsageError, ValueError):
    """An argument lies outside the domain of a function."""


class Unsupported(UsageError):
    """A thing that the lab does not model, refused with the reason rather than ignored."""


class RunStorageError(UsageError):
    """A Run folder cannot be read or written."""


class ScenarioError(UsageError):
    """A scenario says something impossible or unclear.

    Attributes:
        problems: each of them, as a sentence that begins with its key path (or its file and line).
        paths: the key path of each problem, where it is known; else empty.
    """

    def __init__(
        self, message: str, *, problems: tuple[str, ...] = (), paths: tuple[tuple[str | int, ...], ...] = ()
    ) -> None:
        super().__init__(message)
        self.problems = problems or (message,)
        self.paths = paths


class Unstable(LabError):
    """The arithmetic says that a queue grows without bound."""


class NotEnoughData(LabError):
    """A figure was asked for that the data cannot give: never answered by ``0.0``."""


class MeasurementFailed(LabError):
    """The real backend or its load generator broke down during a measurement."""
