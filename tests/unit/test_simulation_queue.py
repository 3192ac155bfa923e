"""A message queue by hand: who gets what when, what comes back, what is lost and what is done twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab.scenario.schedule import Schedule
from lab.simulation.build import Context
from lab.simulation.replicate import replicate
from lab.simulation.request import Handling, Outcome, Request
from tests.unit.backends import scenario, service, waiting

PUBLISH = {"kind": "publish", "queue": "jobs"}


def _observe(
    queue: dict[str, Any], starts_s: list[float], *, keys: list[int] | None = None, own: Any = None, **worker: Any
) -> tuple[pd.DataFrame, list[tuple[float, str]], pd.DataFrame]:
    """Return the stays in the queue, the events with their times, and all visits."""
    described = scenario(
        {
            "api": service(PUBLISH),
            "jobs": {"kind": "queue", "consumer": "worker", "endpoint": "get", "publish_time": "0s"} | queue,
            "worker": service(waiting("10s"), **({"concurrency": 1} | worker)),
        },
        run={"duration": "1000s"},
    )
    schedule = Schedule(
        intended_start_s=np.array(starts_s),
        endpoint=("get",) * len(starts_s),
        key=np.array(keys if keys is not None else range(len(starts_s))),
    )
    observed = replicate(described, schedule, seed=1, replication=0, own=own)
    visits = pd.DataFrame(observed.visits)
    events = list(zip(observed.events["time_s"], observed.events["kind"], strict=True))
    return visits[visits["component"] == "jobs"].reset_index(drop=True), events, visits


class Scripted:
    """A consumer whose n-th piece of work takes a given time and ends in a given way."""

    def __init__(self, context: Context, script: list[tuple[float, Outcome]]) -> None:
        self._clock = context.clock
        self._script = list(script)

    def handle(self, request: Request) -> Handling:
        """Follow the script."""
        time_s, outcome = self._script.pop(0)
        yield self._clock.timeout(time_s)
        return outcome


def _scripted(*scripts: list[tuple[float, Outcome]]) -> dict[str, Any]:
    """Return the replicas of the consumer, one script for each."""
    return {"worker": lambda context: Scripted(context, scripts[context.replica])}


def test_consumers_compete_first_come_first_served() -> None:
    """Two consumers, three messages at once: two are delivered now, the third when the first is free."""
    stays, events, visits = _observe({}, [0, 0, 0], replicas=2)
    assert stays["admitted_s"].tolist() == [0, 0, 10]
    assert stays["replica"].tolist() == [0, 1, 0]
    assert stays["departure_s"].tolist() == [10, 10, 20]
    assert stays["outcome"].tolist() == [Outcome.OK] * 3
    assert events == []
    behind = visits[visits["component"].isin(["jobs", "worker"])]
    assert behind["background"].all()
    assert not visits[visits["component"].isin(["api", "jobs.publish"])]["background"].any()
    assert visits[visits["component"] == "api"]["departure_s"].tolist() == [0, 0, 0]  # nobody waits for the work


def test_prefetched_messages_wait_at_their_consumer() -> None:
    """With a prefetch of 2, the first consumer holds two while the second idles: prefetch costs balance."""
    stays, _, visits = _observe({"prefetch": 2}, [0, 1, 2], replicas=2)
    assert stays["replica"].tolist() == [0, 0, 1]
    assert stays["admitted_s"].tolist() == [0, 1, 2]
    assert visits[visits["component"] == "worker"]["waiting_time_s"].tolist() == [0, 9, 0]


def test_a_message_comes_back_after_its_visibility_timeout_and_is_done_twice() -> None:
    """The work takes 10 s, the timeout 8 s: another consumer gets it too; both succeed."""
    stays, events, visits = _observe({"visibility_timeout": "8s"}, [0], replicas=2)
    assert events == [(8, "redelivery"), (18, "processed_again")]
    assert stays["outcome"].tolist() == [Outcome.TIMEOUT, Outcome.OK]
    assert stays["admitted_s"].tolist() == [0, 8]
    assert stays["departure_s"].tolist() == [8, 10]  # the first consumer's acknowledgement still counts
    assert visits[visits["component"] == "worker"]["departure_s"].tolist() == [10, 18]


def test_a_message_that_is_overdue_stays_where_it_is_until_a_consumer_looks() -> None:
    """Looks are at 0, 3, 6, 9: a timeout of 8 s is noticed at 9 by the other consumer, whose last message was none."""
    stays, events, _ = _observe({"visibility_timeout": "8s", "poll_interval": "3s"}, [0], replicas=2)
    assert events == [(9, "redelivery"), (19, "processed_again")]
    assert stays["departure_s"].tolist() == [9, 10]


def test_who_has_no_room_does_not_look_and_an_acknowledgement_meanwhile_counts() -> None:
    """One consumer with one slot: nobody can claim its message while it works on it, so it is done once."""
    stays, events, _ = _observe({"visibility_timeout": "8s", "poll_interval": "3s"}, [0])
    assert events == []
    assert stays["outcome"].tolist() == [Outcome.OK]
    assert stays["departure_s"].tolist() == [10]


def test_what_is_overdue_is_claimed_before_anything_new_when_somebody_has_room_again() -> None:
    """Its work failed at 5; at 12 the consumer is done with the second message, and claims it before the third."""
    script = [(5, Outcome.ERROR), (7, Outcome.OK), (1, Outcome.OK), (1, Outcome.OK)]
    queue = {"visibility_timeout": "8s", "poll_interval": "3s"}
    stays, events, _ = _observe(queue, [0, 1, 2], own=_scripted(script))
    assert events == [(12, "redelivery")]
    assert sorted(zip(stays["admitted_s"], stays["request"], strict=True)) == [(0, 0), (5, 1), (12, 0), (13, 2)]


def test_fetching_and_acknowledging_take_a_consumers_time() -> None:
    """1 s to fetch, 10 s of work, 1 s to acknowledge: the second message of the only slot is received at 13."""
    stays, _, visits = _observe({"access_time": "1s"}, [0, 0])
    assert stays["admitted_s"].tolist() == [1, 13]
    assert stays["departure_s"].tolist() == [11, 23]
    assert visits[visits["component"] == "jobs.acknowledge"]["departure_s"].tolist() == [12, 24]


def test_an_acknowledgement_in_time_takes_a_message_out_of_the_line_again() -> None:
    """It came back but nobody had room: when the first consumer succeeds it is done once."""
    stays, events, _ = _observe({"visibility_timeout": "8s"}, [0])
    assert stays["outcome"].tolist() == [Outcome.TIMEOUT, Outcome.OK]
    assert np.isnan(stays["admitted_s"].iloc[1])
    assert stays["departure_s"].tolist() == [8, 10]
    assert events == [(8, "redelivery")]


def test_failed_work_comes_back_at_once_or_after_the_timeout() -> None:
    """RabbitMQ puts it back when it fails, Streams and SQS when its visibility timeout ends; first in of the line."""
    script = [(5, Outcome.ERROR), (5, Outcome.OK), (5, Outcome.OK)]
    at_once, _, _ = _observe({"redelivery": "at_once"}, [0, 1], own=_scripted(script))
    assert at_once.sort_values("arrival_s", kind="stable")["admitted_s"].tolist() == [0, 10, 5]
    assert at_once["outcome"].tolist() == [Outcome.ERROR, Outcome.OK, Outcome.OK]
    late, _, _ = _observe({"visibility_timeout": "30s"}, [0, 1], own=_scripted(script))
    assert late["admitted_s"].tolist() == [0, 5, 30]
    assert late["departure_s"].tolist() == [30, 10, 35]


def test_after_max_attempts_a_message_is_a_dead_letter() -> None:
    """Three deliveries fail; it never comes a fourth time."""
    stays, events, _ = _observe(
        {"redelivery": "at_once", "max_attempts": 3}, [0], own=_scripted([(1, Outcome.ERROR)] * 3)
    )
    assert stays["outcome"].tolist() == [Outcome.ERROR] * 3
    assert events == [(1, "redelivery"), (2, "redelivery"), (3, "dead_letter")]


def test_acknowledged_before_the_work_a_message_may_be_lost() -> None:
    """At most once: what fails never comes back, and the line moves on only when the consumer does."""
    stays, events, visits = _observe(
        {"acknowledge": "before"}, [0, 0], own=_scripted([(4, Outcome.ERROR), (4, Outcome.OK)])
    )
    assert stays["departure_s"].tolist() == [0, 4]
    assert events == [(4, "lost")]
    assert len(visits[visits["component"] == "jobs"]) == 2


@pytest.mark.parametrize(("overflow", "survivors"), [("drop_head", [0, 3]), ("reject", [0, 1])])
def test_a_full_queue_drops_its_head_or_refuses_the_newest(overflow: str, survivors: list[int]) -> None:
    """One is worked on, one may wait; of the other two the oldest go, or the newest are refused."""
    stays, events, visits = _observe({"capacity": 1, "overflow": overflow}, [0, 1, 2, 3])
    assert stays[stays["outcome"] == Outcome.OK]["request"].tolist() == survivors
    dropped = [kind for _, kind in events]
    publishings = visits[visits["component"] == "jobs.publish"]["outcome"].tolist()
    if overflow == "drop_head":
        assert dropped == ["dropped", "dropped"]
        assert publishings == [Outcome.OK] * 4
    else:
        assert dropped == []
        assert publishings == [Outcome.OK, Outcome.OK, Outcome.REJECTED, Outcome.REJECTED]
        assert visits[visits["component"] == "api"]["outcome"].tolist()[2:] == [Outcome.ERROR] * 2


def test_a_partition_keeps_the_order_of_its_keys() -> None:
    """Each key's messages go to one consumer, one at a time; another key's partition moves on meanwhile."""
    stays, _, _ = _observe({"partitions": 64}, [0, 0, 0, 0], keys=[1, 1, 2, 2], replicas=2, concurrency=None)
    assert stays["admitted_s"].tolist() == [0, 10, 0, 10]
    assert stays.groupby("request")["replica"].first().groupby([1, 1, 2, 2]).nunique().tolist() == [1, 1]


def test_a_failing_message_blocks_its_partition_until_it_is_done() -> None:
    """Order before progress: the second message of the key waits for the first one's redelivery."""
    script = [(1, Outcome.ERROR), (1, Outcome.OK), (1, Outcome.OK)]
    stays, _, _ = _observe({"partitions": 1, "visibility_timeout": "20s"}, [0, 0], keys=[1, 1], own=_scripted(script))
    assert stays.sort_values("admitted_s")["request"].tolist() == [0, 0, 1]
    assert sorted(stays["admitted_s"]) == [0, 20, 21]


def _by_priority(queue: dict[str, Any], starts: list[tuple[float, int]]) -> pd.DataFrame:
    """Return the stays of messages that are published at these times with these priorities; each is 10 s of work."""
    endpoints = {f"p{priority}": [PUBLISH | {"priority": priority}] for priority in (0, 3, 9)}
    described = scenario(
        {
            "api": {"kind": "service", "endpoints": endpoints},
            "jobs": {"kind": "queue", "consumer": "worker", "endpoint": "get", "publish_time": "0s"} | queue,
            "worker": service(waiting("10s"), concurrency=1),
        },
        workload={"kind": "open", "arrival_rate": "1/s", "endpoints": {"p0": "40%", "p3": "30%", "p9": "30%"}},
        run={"duration": "1000s"},
    )
    schedule = Schedule(
        intended_start_s=np.array([start for start, _ in starts], dtype=float),
        endpoint=tuple(f"p{priority}" for _, priority in starts),
        key=np.zeros(len(starts), dtype=int),
    )
    visits = pd.DataFrame(replicate(described, schedule, seed=1, replication=0).visits)
    return visits[visits["component"] == "jobs"].sort_values("request")


def test_the_highest_priority_is_delivered_first_and_what_is_out_is_not_interrupted() -> None:
    """While the first is worked on, others come: 9 before 3 before 0, first come first served among equals."""
    starts = [(0, 0), (1, 0), (2, 3), (3, 9), (4, 3)]
    assert _by_priority({"max_priority": 9}, starts)["admitted_s"].tolist() == [0, 40, 20, 10, 30]
    assert _by_priority({"max_priority": 3}, starts)["admitted_s"].tolist() == [0, 40, 10, 20, 30]  # 9 counts as 3


def test_a_full_queue_of_priorities_drops_its_head_as_rabbitmq_does() -> None:
    """The head is the most urgent: that is what is lost when a less urgent one comes."""
    stays = _by_priority({"max_priority": 9, "capacity": 1}, [(0, 0), (1, 9), (2, 0)])
    assert stays["outcome"].tolist() == [Outcome.OK, Outcome.REJECTED, Outcome.OK]
