"""The recorded measurements: what README, notebooks and tests compare with."""

from __future__ import annotations

from pathlib import Path

import lab

ROOT = Path(__file__).parents[1]
NAMES = ("first_spike", "overload")


def scenario(name: str) -> lab.Scenario:
    """Return the scenario of a recorded measurement."""
    return lab.read_scenario(ROOT / "scenarios" / "validation" / f"{name}.yaml")


def folder(name: str) -> Path:
    """Return the folder of a recorded measurement."""
    return ROOT / "measurements" / name


def comparison(name: str) -> lab.Comparison:
    """Return a fresh prediction beside a recorded measurement."""
    return lab.compare(lab.simulate(scenario(name), progress=False), lab.Run.load(folder(name)))
