"""Does the model agree? Margins, comparison, verdict."""

from lab.validation.compare import compare
from lab.validation.comparison import Comparison

__all__ = ["Comparison", "compare"]
