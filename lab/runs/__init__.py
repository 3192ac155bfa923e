"""What was observed: Run, its tables, its figures, saving and loading; the same in both worlds."""

from lab.runs.bottleneck import Bottleneck
from lab.runs.objectives import ObjectiveResult
from lab.runs.run import Run
from lab.runs.tables import AGGREGATES, EVENTS, REQUESTS, SAMPLES, TABLES, VISITS, Tables

__all__ = [
    "AGGREGATES",
    "EVENTS",
    "REQUESTS",
    "SAMPLES",
    "TABLES",
    "VISITS",
    "Bottleneck",
    "ObjectiveResult",
    "Run",
    "Tables",
]
