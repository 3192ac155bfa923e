"""What a Run says of the slice that ran: which share of what, and why that is enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FEW = 3


def slice_sentence(scenario: Mapping[str, Any]) -> str:
    """Return in one sentence which slice of the whole a scenario document describes; nothing if it is the whole.

    >>> scale = {"slice": "1%", "of": ["workload.arrival_rate"], "because": "shards share nothing", "applied": True}
    >>> slice_sentence({"scale": scale})
    'All figures are of a slice: 1% of workload.arrival_rate (shards share nothing).'
    """
    scale = scenario.get("scale")
    if not scale or not scale["applied"]:
        return ""
    named, more = scale["of"][:_FEW], len(scale["of"]) - _FEW
    of = ", ".join(named) + (f" and {more} more" if more > 0 else "")
    return f"All figures are of a slice: {scale['slice']} of {of} ({str(scale['because']).strip().rstrip('.')})."
