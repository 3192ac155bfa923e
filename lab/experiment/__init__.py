"""Many runs of one scenario, and what follows from them: replications, warm-up, paired differences."""

from lab.experiment.paired import difference
from lab.experiment.simulate import simulate

__all__ = ["difference", "simulate"]
