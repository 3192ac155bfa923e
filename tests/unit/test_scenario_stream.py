"""What a scenario may not say about its streams, and what the arithmetic says of them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

import lab
from lab.errors import ScenarioError
from lab.runs import Tables
from lab.validation.laws import broken_laws
from lab.validation.overtaking import overtakings
from tests.unit.backends import scenario, service, waiting

_STREAM = {"kind": "stream", "consumer": "counter", "endpoint": "get"}
_PUBLISH = {"kind": "publish", "queue": "likes"}


def _likes(stream: dict[str, Any], *, work: str = "20ms", **counter: Any) -> lab.Scenario:
    api, consumer = service(_PUBLISH), service(waiting(work), **counter)
    return scenario({"api": api, "likes": _STREAM | stream, "counter": consumer})


@pytest.mark.parametrize(
    ("stream", "counter", "says"),
    [
        ({"consumer": "likes"}, {}, r"components.likes.consumer: 'likes' is not a service of this scenario"),
        ({"endpoint": "put"}, {}, r"components.likes.endpoint: 'counter' has no endpoint 'put'"),
        ({"heartbeat_interval": "45s"}, {}, r"likes.heartbeat_interval: \(45 s\) must be less than session_timeout"),
        ({}, {"workers": 2}, "components.likes.consumer: 'counter' has 2 workers in each replica"),
        ({"consumer": "api"}, {}, r"the calls go round in a circle \(api -> likes -> api\)"),
        ({"linger": "5ms"}, {}, "the lab does not model 'linger' yet"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_stream_that_cannot_work_is_refused(stream: dict[str, Any], counter: dict[str, Any], says: str) -> None:
    """Names lead somewhere, heartbeats come in time, and a consumer is one process."""
    with pytest.raises(ScenarioError, match=says):
        _likes(stream, **counter)


def test_as_many_records_are_worked_on_as_there_are_partitions_with_a_consumer() -> None:
    """At 1/s of 20 ms and 10 ms a batch of ten: 21 ms each; three consumers of two partitions are two places."""
    paper = lab.arithmetic(_likes({"partitions": 2, "poll_time": "10ms", "max_poll_records": 10}, replicas=3))
    assert paper.row("likes", "deliveries").servers == 2
    assert paper.row("likes", "deliveries").offered_load == pytest.approx(0.021)
    slow = lab.arithmetic(_likes({}, work="2s"))
    assert [found.severity for found in slow.findings if found.component == "likes"] == ["unstable"]


def test_the_picture_shows_publisher_stream_and_consumer() -> None:
    """An arrow into the stream and one out of it."""
    text = lab.mermaid(_likes({"partitions": 4}))
    assert 'part_api -->|"get: publish"| part_likes' in text
    assert 'part_likes -->|"get"| part_counter' in text
    assert "4 partitions" in text


def _run(described: lab.Scenario) -> lab.Run:
    return lab.simulate(described.with_({"run.replications": 1, "run.duration": "30s"}), progress=False)


def test_the_laws_see_a_lost_record_and_one_out_of_order() -> None:
    """A Run from which a stay was taken, or in which two were exchanged, breaks them."""
    run = _run(_likes({}, work="900ms").with_({"workload.arrival_rate": "0.9/s"}))
    assert broken_laws(run) == []
    of_stream = run.visits["component"] == "likes"
    first = run.visits.index[of_stream][0]
    said = broken_laws(_with_visits(run, run.visits.drop(index=first)))
    assert any(sentence.startswith("conservation: likes") for sentence in said)
    late = run.visits.copy()
    one, other = late.index[of_stream][:2]
    late.loc[one, "admitted_s"] = late.loc[one, "departure_s"] = late.loc[other, "departure_s"] + 1
    assert any(sentence.startswith("order: ") for sentence in broken_laws(_with_visits(run, late)))


def _with_visits(run: lab.Run, visits: pd.DataFrame) -> lab.Run:
    return replace(run, tables=Tables(**run.tables.as_dict() | {"visits": visits.reset_index(drop=True)}))


def test_competing_consumers_overtake_where_partitions_do_not() -> None:
    """What a queue does not promise is counted: where times vary, later messages of a key are done before earlier."""
    work = {"kind": "wait", "time": {"kind": "lognormal", "mean": "300ms", "scv": 2}}
    queue = {"kind": "queue", "consumer": "counter", "endpoint": "get"}
    parts = {"api": service(_PUBLISH), "likes": queue, "counter": service(work, replicas=3, concurrency=1)}
    described = scenario(parts).with_({"workload.arrival_rate": "4/s"})
    assert len(overtakings(_run(described), "likes")) > 10
    assert len(overtakings(_run(described), "likes", by="begun")) == 0
    assert len(overtakings(_run(described.with_({"components.likes.partitions": 2})), "likes")) == 0


def test_who_was_lost_after_a_failed_delivery_is_in_nobodys_way() -> None:
    """Of three messages about one key the first expires after a delivery that failed; the others are in order."""
    rows = [(0, 1.0, "error", 2.0), (0, 2.0, "rejected", 3.0), (1, 1.5, "ok", 4.0), (2, 1.6, "ok", 5.0)]
    visits = pd.DataFrame(
        {
            "replication": 0,
            "request": [request for request, *_ in rows],
            "attempt": 0,
            "component": "box",
            "arrival_s": [arrival_s for _, arrival_s, _, _ in rows],
            "admitted_s": [arrival_s for _, arrival_s, _, _ in rows],
            "departure_s": [departure_s for *_, departure_s in rows],
            "outcome": [outcome for _, _, outcome, _ in rows],
        }
    )
    requests = pd.DataFrame({"replication": 0, "request": [0, 1, 2], "key": 7})
    run = SimpleNamespace(visits=visits, requests=requests)
    assert len(overtakings(cast("lab.Run", run), "box")) == 0
    visits.loc[2, "departure_s"] = 6.0  # the second after the third
    assert overtakings(cast("lab.Run", run), "box")["request"].tolist() == [2]
