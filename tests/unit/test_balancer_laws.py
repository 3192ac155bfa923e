"""The laws of a balancer's queue catch rows that no HAProxy would leave."""

from __future__ import annotations

import pandas as pd
import pytest

import lab
from lab.validation.balancer_laws import broken_balancer_laws
from lab.validation.retrying_laws import broken_retrying_laws
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


def _of_nginx(rows: pd.DataFrame, replicas: list[int], **edge: object) -> list[str]:
    parts = {"edge": {"kind": "nginx", "targets": "api"} | edge, "api": service(waiting("1s"), replicas=2)}
    return list(
        broken_retrying_laws(scenario(parts, entry="edge", run={"duration": "20s"}), rows.assign(replica=replicas))
    )


def test_turning_somebody_away_beside_a_free_replica_is_caught() -> None:
    """Two places: the third at once may be turned away, also at the very time when one leaves; the fourth may not."""
    nobody = float("nan")
    rows = _rows((0, 0, 1), (0, 0, 2), (0.5, nobody, 0.5), (1.0, nobody, 1.0), (1.5, nobody, 1.5))
    (said,) = _of_nginx(rows, [0, 1, -1, -1, -1], max_conns=1)
    assert said == "turned away: 1 requests at edge in replication 0, while a replica had room"
    (said,) = _of_nginx(rows, [0, 1, -1, -1, -1])
    assert said.startswith("turned away: 3 requests")
    assert _of_nginx(rows, [0, 1, -1, -1, -1], read_timeout="1s") == []  # there replicas may be out


def test_waiting_where_there_is_no_queue_is_caught() -> None:
    """An nginx whose replicas cannot fail asks at once."""
    (said,) = _of_nginx(_rows((0, 0, 1), (0.1, 0.4, 2)), [0, 1])
    assert said == "no queue: 1 requests waited at edge in replication 0, which has none"
