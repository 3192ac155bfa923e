"""What was observed of one time: values, and bounds that values are known to lie above."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lab.errors import NotEnoughData

FEWEST = 20  # observations that a distribution is fitted to


def _none() -> NDArray[np.float64]:
    return np.empty(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Observations of one parameter.

    Attributes:
        values_s: shape (n,), each 0 s or more.
        above_s: shape (m,), lower bounds of observations that were cut off (right-censored).
        how: where they come from, for the record.
        notes: what to know about them.
    """

    values_s: NDArray[np.float64]
    above_s: NDArray[np.float64] = field(default_factory=_none)
    how: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values_s) + len(self.above_s)


def sample_of(path: str, values_s: object, *, above_s: object = (), how: str) -> Sample:
    """Return the sample with what is not finite taken out, and negative times at 0 s.

    Raises:
        NotEnoughData: fewer than 20 of its observations are complete.
    """
    values = np.asarray(values_s, dtype=np.float64)
    above = np.asarray(above_s, dtype=np.float64)
    values, above = values[np.isfinite(values)], above[np.isfinite(above)]
    negative = int((values < 0).sum())
    notes = (f"{path}: {negative} of {len(values)} came out below 0 s and count as 0 s",) if negative else ()
    if len(values) < FEWEST:
        raise NotEnoughData(
            f"{path}: the run tells of it {len(values)} times ({how}), but a fit needs at least {FEWEST}; calibrate "
            "with a run that lasts longer, or one that uses this part"
        )
    return Sample(values_s=np.maximum(values, 0.0), above_s=np.maximum(above, 0.0), how=how, notes=notes)
