"""Whether long work shows how far it is."""

from __future__ import annotations

from typing import Any


def bar_options(*, progress: bool) -> dict[str, Any]:
    """Return the options of a tqdm bar: a bar that is not switched off here is left to ``TQDM_DISABLE``."""
    return {} if progress else {"disable": True}
