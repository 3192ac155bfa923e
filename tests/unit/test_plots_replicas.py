"""The picture of a fleet: what is stacked, what is wanted, what is marked, and when there is nothing to draw."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes

import lab
from lab.errors import DomainError, NotEnoughData
from lab.plots import plot_replicas

_STEP = {"kind": "wait", "time": "10ms"}


def _run(*crashing: str) -> lab.Run:
    faults = [{"kind": "crash", "at": "4s", "component": name, "restart_after": "2s"} for name in crashing]
    service = {"kind": "service", "boot_time": "1s", "endpoints": {"get": [_STEP]}}
    call = {"kind": "call", "target": "inner", "endpoint": "get"}
    return lab.simulate(
        lab.Scenario.model_validate(
            {
                "name": "fleet",
                "workload": {"kind": "open", "arrival_rate": "5/s", "endpoints": {"get": "100%"}},
                "entry": "api",
                "components": {"api": service | {"endpoints": {"get": [call]}}, "inner": service},
                "faults": faults,
                "run": {"duration": "10s", "replications": 1},
            }
        ),
        progress=False,
    )


@pytest.fixture(name="ax")
def _ax() -> Iterator[Axes]:
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def test_the_fleet_is_drawn_over_time(ax: Axes) -> None:
    """One is wanted throughout; crash and restart are marked; it draws on the Axes given, from 0 to the end."""
    assert plot_replicas(_run("api"), ax=ax) is ax
    (wanted,) = [line for line in ax.get_lines() if line.get_label() == "wanted"]
    assert set(np.asarray(wanted.get_ydata())) == {1.0}
    assert [text.get_text() for text in ax.texts] == ["crash", "restart"]
    assert ax.get_xlim() == (0, 10)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (s)", "replicas of api")


def test_the_stack_is_what_was_there(ax: Axes) -> None:
    """Ready to 4 s, nobody to 6 s, booting to 7 s, ready again."""
    plot_replicas(_run("api"), ax=ax)
    ready, starting, _ = ax.collections
    heights = {
        name: [path.vertices[:, 1].max() for path in layer.get_paths()]
        for name, layer in (("ready", ready), ("starting", starting))
    }
    assert max(heights["ready"]) == 1
    assert max(heights["starting"]) == 1


def test_which_service_must_be_clear() -> None:
    """Two fleets change: one must be named; none changes: nothing to draw."""
    both = _run("api", "inner")
    with pytest.raises(DomainError, match="the fleets of api, inner change; say which by component="):
        plot_replicas(both)
    plt.close(plot_replicas(both, component="inner").figure)
    with pytest.raises(NotEnoughData, match="does not follow any fleet"):
        plot_replicas(_run())
    with pytest.raises(NotEnoughData, match="does not follow the fleet of 'inner'"):
        plot_replicas(_run("api"), component="inner")
