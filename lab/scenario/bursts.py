"""Arrivals that come in bursts by chance: a rate that changes by itself, and arrivals that bring others along."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from lab.quantities import PositiveDuration, Rate, Ratio, Spec

_MOST_BROUGHT = 0.95  # beyond it, cascades are so rare and so large that no run of hours shows their mean


class Phase(Spec):
    """One state of a modulated rate."""

    rate: Rate = Field(description="The rate while it lasts; 0/s: silence.")
    mean: PositiveDuration = Field(description="How long it lasts on average (exponential).")


class ModulatedRate(Spec):
    """A rate that goes round between phases whose lengths are exponential (a Markov-modulated Poisson process).

    At the start it is in a phase as after a long time: in each with the share of time that the phase has. The
    arithmetic on paper takes its mean rate, so a phase that is more than the backend can do raises no warning.

    Source: W. Fischer and K. Meier-Hellstern, "The Markov-modulated Poisson process (MMPP) cookbook",
    Performance Evaluation 18 (1993).
    """

    kind: Literal["modulated"] = "modulated"
    phases: tuple[Phase, ...] = Field(
        min_length=2, max_length=100, description="The phases, one after the other and then from the first again."
    )

    @property
    def mean_rate_per_s(self) -> float:
        """The rate in the long run."""
        arrivals = math.fsum(phase.rate * phase.mean for phase in self.phases)
        return arrivals / math.fsum(phase.mean for phase in self.phases)


class HawkesRate(Spec):
    """Arrivals of which each brings others along (a Hawkes process with an exponential kernel): a post is shared.

    Arrivals that nobody brought come at the base rate. Each arrival, brought or not, brings a Poisson number of
    others, each after an exponential delay of its own. At the start it is as after a long time.

    Source: A. G. Hawkes, "Spectra of some self-exciting and mutually exciting point processes", Biometrika 58 (1971);
    as clusters: A. G. Hawkes and D. Oakes, Journal of Applied Probability 11 (1974).
    """

    kind: Literal["hawkes"] = "hawkes"
    base: Rate = Field(description="Arrivals that nobody brought.")
    brought: Ratio = Field(
        description="How many others each arrival brings itself, on average: up to 95%. In the long run the rate is "
        "base / (1 - brought)."
    )
    delay: PositiveDuration = Field(description="From an arrival to one that it brings, on average (exponential).")

    @model_validator(mode="after")
    def _ends(self) -> HawkesRate:
        if self.brought > _MOST_BROUGHT:
            raise ValueError(
                f"brought is {self.brought:.0%}; from 100% on it never ends, and near that no run is long "
                f"enough to show the mean: give at most {_MOST_BROUGHT:.0%}"
            )
        return self

    @property
    def mean_rate_per_s(self) -> float:
        """The rate in the long run."""
        return self.base / (1 - self.brought)
