"""Where a prediction leaves the range that its values were calibrated in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.scenario.arithmetic import Arithmetic, arithmetic
from lab.scenario.calibration import Calibration
from lab.scenario.mix import request_mix

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario

_SLACK = 1.001  # the same rate, written otherwise


def extrapolation(scenario: Scenario, calibration: Calibration) -> tuple[str, ...]:
    """Return a sentence for each way in which a scenario goes beyond what was calibrated; empty if it does not.

    Higher arrival rates and utilisations are what predictions are for; the sentences say how far they rest on the model
    instead of on what was measured.

    Args:
        scenario: what is predicted.
        calibration: what its values come from.
    """
    return tuple(_ways(scenario, calibration, arithmetic(scenario)))


def _ways(scenario: Scenario, calibration: Calibration, figures: Arithmetic) -> Iterator[str]:
    known = calibration.range
    peak = figures.rates_per_s["peak"]
    if peak > known.arrival_rate_per_s * _SLACK:
        yield (
            f"{peak:.4g} requests/s at the peak are {peak / known.arrival_rate_per_s:.2g} times the "
            f"{known.arrival_rate_per_s:.4g} requests/s that it was calibrated at"
        )
    strange = sorted({name for name, share in request_mix(scenario).items() if share > 0} - set(known.endpoints))
    if strange:
        yield f"endpoints that the calibration has not seen: {', '.join(strange)}"
    busy = places_busy(figures)
    beyond = {place: ratio for place, ratio in busy.items() if ratio > known.utilisation.get(place, 0.0) * _SLACK}
    if beyond:
        place = max(beyond, key=lambda each: beyond[each])
        before = known.utilisation.get(place)
        was = "not used there" if before is None else f"{before:.0%} busy there"
        yield f"{place} is {beyond[place]:.0%} busy at the peak, and was {was} ({len(beyond)} places in all are busier)"


def places_busy(figures: Arithmetic) -> dict[str, float]:
    """Return the utilisation of each limited place at the peak with warm caches, by ``component/resource``."""
    return {
        "/".join(filter(None, (row.component, row.resource, row.caller))): row.utilisation
        for row in figures.rows
        if (row.level, row.cache) == ("peak", "warm") and row.utilisation is not None
    }
