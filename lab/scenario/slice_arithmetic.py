"""Where a slice is not as busy as the whole: something was left out of it, or is in it that should not be."""

from __future__ import annotations

from lab.scenario.arithmetic import arithmetic
from lab.scenario.extrapolation import places_busy
from lab.scenario.scenario import Scenario

_MOST_OFF = 0.1  # of the larger of the two: rounding of whole numbers may make half of it
_IDLE = 0.02  # a place that is never busier than this matters in neither


def unlike_the_whole(whole: Scenario, part: Scenario) -> tuple[str, ...]:
    """Return a sentence for each place that is busier in the whole, or less busy, than in a slice of it.

    A slice of what shares nothing has the same arrivals for each server as the whole, so every place is as busy in
    either. A shared part that is not in ``scale.of`` keeps its size while fewer come, and looks idle; a cache whose
    keys stay as many is asked for each of them more rarely. By the arithmetic at the peak, caches warm.

    Args:
        whole: with a ``scale``.
        part: a slice of it.
    """
    before, after = places_busy(arithmetic(whole)), places_busy(arithmetic(part))
    said = []
    for place in (each for each in before if each in after):
        larger = max(before[place], after[place])
        if larger > _IDLE and abs(before[place] - after[place]) > _MOST_OFF * larger:
            said.append(
                f"{place} is {before[place]:.1%} busy at the peak of the whole, and {after[place]:.1%} in the slice"
            )
    return tuple(said)
