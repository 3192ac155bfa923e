"""What the flag ``hit`` of a visit says: a look-up found its key, or a parallel step got its full answer."""

from __future__ import annotations

HIT_RATIO, FULL_ANSWER_RATIO = "hit_ratio", "full_answer_ratio"

PARALLEL = ".parallel"
"""What follows the name of a service in the rows of its parallel steps that do not simply wait for all."""


def share_of_hits(component: str) -> tuple[str, str]:
    """Return the metric and the subject that the share of a component's hits is.

    >>> share_of_hits("items"), share_of_hits("root.parallel")
    (('hit_ratio', 'items'), ('full_answer_ratio', 'root'))
    """
    if component.endswith(PARALLEL):
        return FULL_ANSWER_RATIO, component.removesuffix(PARALLEL)
    return HIT_RATIO, component
