"""Calibrations of several runs of one scenario, each of parameters of its own, made into one."""

from __future__ import annotations

from collections.abc import Sequence

from lab.scenario.calibration import CalibratedRange, Calibration


def joined(each: Sequence[Calibration]) -> Calibration:
    """Return one calibration with the parameters, residuals and notes of all, and the range that they span together.

    What it says of host, versions, date and scenario is the last one's, which was run with the values of those before.

    Args:
        each: in the order in which they were made, no parameter twice; one at least.
    """
    if len(each) == 1:
        return each[0]
    places = {place for one in each for place in one.range.utilisation}
    spanned = CalibratedRange(
        arrival_rate_per_s=max(one.range.arrival_rate_per_s for one in each),
        endpoints=tuple(sorted({endpoint for one in each for endpoint in one.range.endpoints})),
        utilisation={place: max(one.range.utilisation.get(place, 0.0) for one in each) for place in sorted(places)},
    )
    return (
        each[-1]
        .model_copy(
            update={
                "parameters": {path: value for one in each for path, value in one.parameters.items()},
                "range": spanned,
                "residuals": tuple(residual for one in each for residual in one.residuals),
                "notes": tuple(dict.fromkeys(note for one in each for note in one.notes)),
            }
        )
        .sealed()
    )
