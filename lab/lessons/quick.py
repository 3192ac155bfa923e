"""How much a notebook computes: as much as its reader is owed, or just enough to test that it still holds."""

from __future__ import annotations

import os

from lab.errors import DomainError

_QUICK_REPLICATIONS = 3  # the fewest whose interval says something


def is_quick() -> bool:
    """Tell whether the notebook is executed to test it (``LAB_QUICK=1``) rather than to be read."""
    return os.environ.get("LAB_QUICK", "") not in ("", "0")


def replications(number: int) -> int:
    """Return the number of replications to run: ``number``, or at most 3 where ``LAB_QUICK=1`` is set.

    Raises:
        DomainError: ``number`` is no whole number of at least 1.
    """
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise DomainError(f"{number!r} replications cannot be run; give a whole number of at least 1")
    return min(number, _QUICK_REPLICATIONS) if is_quick() else number
