"""The laws hold on every shipped scenario, and a component that cheats is caught."""

from __future__ import annotations

from pathlib import Path

import pytest

import lab
from lab.simulation.build import Context
from lab.simulation.request import Handling, Outcome, Request
from lab.validation.laws import broken_laws

SHIPPED = sorted(
    path for path in (Path(__file__).parents[2] / "scenarios").rglob("*/*.yaml") if path.parent.name != "cases"
)


def _short(path: Path) -> lab.Scenario:
    return lab.read_scenario(path).with_({"run.replications": 2})


@pytest.mark.slow
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_scenarios_keep_the_laws(path: Path) -> None:
    """Flow balance, stays, client time, places, idle servers and Little's law on every shipped scenario."""
    assert broken_laws(lab.simulate(_short(path), progress=False, allow_unstable=True)) == []


class Cheat:
    """A database that answers at once but claims to have worked, as a broken model would."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def handle(self, request: Request) -> Handling:
        """Claim a millisecond of work without taking it."""
        now_s = self._context.clock.now
        visit = self._context.log.open_visit(request, self._context.name, 0, now_s)
        visit.admit(now_s)
        visit.service_time_s = 0.001
        yield self._context.clock.timeout(0)
        return visit.close(now_s, Outcome.OK)


def test_a_cheating_component_is_caught() -> None:
    """Work that takes no time breaks the law of the stay and that of the client's time."""
    path = next(path for path in SHIPPED if path.stem == "mmc")
    scenario = lab.read_scenario(path).with_({"run.duration": "2s", "run.warm_up": "0s", "run.replications": 1})
    broken = broken_laws(lab.simulate(scenario, components={"main": Cheat}, progress=False))
    assert any(law.startswith("stay") for law in broken)
    assert any(law.startswith("client time") for law in broken)
