"""The laws of a balancer's queue catch rows that no HAProxy would leave."""

from __future__ import annotations

import pandas as pd
import pytest

import lab
from lab.validation.balancer_laws import broken_balancer_laws
from tests.unit.backends import scenario, service, waiting


def _described(**edge: object) -> lab.Scenario:
    parts = {
        "edge": {"kind": "load_balancer", "targets": "api", "max_connections_per_server": 1} | edge,
        "api": service(waiting("1s")),
    }
    return scenario(parts, entry="edge")


def _rows(*spans_s: tuple[float, float, float]) -> pd.DataFrame:
    """Return the balancer's rows: of each, when it came, was served and left."""
    rows = pd.DataFrame(spans_s, columns=["arrival_s", "admitted_s", "departure_s"])
    return rows.assign(
        component="edge", replica=0, replication=0, waiting_time_s=rows["admitted_s"] - rows["arrival_s"]
    )


def test_first_come_first_served_holds() -> None:
    """One after the other, in the order of coming; two that came together in any order."""
    fair = _rows((0, 0, 1), (0.1, 1, 2), (0.2, 3, 4), (0.2, 2, 3))
    assert list(broken_balancer_laws(_described(), fair, 4.0)) == []


def test_overtaking_is_caught() -> None:
    """The third was served before the second, who had waited longer."""
    unfair = _rows((0, 0, 1), (0.1, 2, 3), (0.2, 1, 2))
    (said,) = broken_balancer_laws(_described(), unfair, 3.0)
    assert said.startswith("order: 1 times a request at edge in replication 0 was served before one that had waited")


def test_waiting_beside_a_free_server_is_caught() -> None:
    """Nobody is served from 1 to 2 s, while the second waits."""
    idle = _rows((0, 0, 1), (0.1, 2, 3))
    (said,) = broken_balancer_laws(_described(), idle, 3.0)
    assert said.startswith("idle server: somebody waited for 1.000000000 s at edge in replication 0 while a server had")


@pytest.mark.parametrize("edge", [{"algorithm": "uri"}, {"algorithm": "leastconn", "max_queue": 3}])
def test_who_waits_for_one_certain_server_may_be_overtaken(edge: dict[str, object]) -> None:
    """There each server has a queue of its own, and serves it in its own time."""
    rows = _rows((0, 0, 1), (0.1, 2, 3), (0.2, 1, 2))
    assert list(broken_balancer_laws(_described(**edge), rows, 3.0)) == []
