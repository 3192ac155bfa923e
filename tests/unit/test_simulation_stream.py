"""A stream by hand: who reads which partition when, what a batch costs, what a rebalance stops, what is done twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab.randomness import splitmix64
from lab.scenario.schedule import Schedule
from lab.simulation.build import Context
from lab.simulation.replicate import replicate
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.stream.assignment import sticky
from tests.unit.backends import scenario, service, waiting

PUBLISH = {"kind": "publish", "queue": "likes"}
TWO = [next(key for key in range(100) if splitmix64(key) % 2 == number) for number in (0, 1)]
"""A key of partition 0 and one of partition 1, where there are two."""


class Seen:
    """What one replication of a stream observed."""

    def __init__(self, described: Any, starts_s: list[float], keys: list[int], own: Any) -> None:
        schedule = Schedule(intended_start_s=np.array(starts_s), endpoint=("get",) * len(starts_s), key=np.array(keys))
        observed = replicate(described, schedule, seed=1, replication=0, own=own)
        self.visits = pd.DataFrame(observed.visits)
        self.stays = self.visits[self.visits["component"] == "likes"].reset_index(drop=True)
        self.events = list(zip(observed.events["time_s"], observed.events["kind"], strict=True))
        self._samples = pd.DataFrame(observed.samples)

    def of_stream(self) -> list[tuple[float, str]]:
        """Events of the stream alone."""
        kinds = {"rebalance", "rebalanced", "expelled", "redelivery", "processed_again", "dead_letter"}
        return [(round(float(time), 6), kind) for time, kind in self.events if kind in kinds]

    def gauge(self, name: str) -> list[tuple[float, float]]:
        """The steps of one gauge."""
        rows = self._samples[(self._samples["component"] == "likes") & (self._samples["gauge"] == name)]
        return [(round(float(at), 6), float(value)) for at, value in zip(rows["time_s"], rows["value"], strict=True)]

    def begun(self) -> list[float]:
        """When the work of each stay began."""
        return [round(float(at), 6) for at in self.stays["admitted_s"]]


def _observe(
    stream: dict[str, Any],
    starts_s: list[float],
    *,
    keys: list[int] | None = None,
    own: Any = None,
    faults: tuple[dict[str, Any], ...] = (),
    duration: str = "200s",
    **worker: Any,
) -> Seen:
    described = scenario(
        {
            "api": service(PUBLISH),
            "likes": {"kind": "stream", "consumer": "worker", "endpoint": "get", "publish_time": "0s"} | stream,
            "worker": service(waiting("1s"), **worker),
        },
        faults=list(faults),
        run={"duration": duration},
    )
    return Seen(described, starts_s, keys if keys is not None else [1] * len(starts_s), own)


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


def _scripted(*scripts: list[tuple[float, Outcome]]) -> dict[str, Callable[[Context], Scripted]]:
    return {"worker": lambda context: Scripted(context, scripts[context.replica])}


def _crash(at: str, **keys: Any) -> dict[str, Any]:
    return {"kind": "crash", "component": "worker", "at": at} | keys


def test_a_partition_has_one_reader_and_more_readers_than_partitions_idle() -> None:
    """Two partitions, three consumers: each partition's records come one after the other, the third does nothing."""
    seen = _observe({"partitions": 2}, [0, 0, 0, 0], keys=[TWO[0], TWO[0], TWO[1], TWO[1]], replicas=3)
    assert seen.begun() == [0, 1, 0, 1]
    assert seen.stays["replica"].tolist() == [0, 0, 1, 1]
    assert seen.stays["outcome"].tolist() == [Outcome.OK] * 4
    assert seen.stays["background"].all()
    assert seen.of_stream() == []


def test_one_consumer_of_two_partitions_takes_them_in_turn() -> None:
    """With batches of one: after a record of one partition comes one of the other."""
    stream = {"partitions": 2, "max_poll_records": 1}
    seen = _observe(stream, [0, 0, 0, 0], keys=[TWO[0], TWO[0], TWO[1], TWO[1]])
    assert seen.begun() == [0, 2, 1, 3]


def test_a_batch_costs_a_fixed_time_and_that_of_its_records() -> None:
    """The first poll finds one record; the three that came meanwhile are polled as two and one."""
    seen = _observe({"max_poll_records": 2, "poll_time": "500ms"}, [0, 0.1, 0.2, 0.3])
    assert seen.begun() == [0.5, 2.0, 3.0, 4.5]
    polls = seen.visits[seen.visits["component"] == "likes.poll"]
    assert polls["arrival_s"].round(6).tolist() == [0, 1.5, 4.0]
    assert polls["service_time_s"].tolist() == [0.5] * 3


def test_lag_counts_what_is_not_committed() -> None:
    """With an interval of 5 s the work of seconds 1 and 2 is committed at 5 s, by a consumer that idles."""
    seen = _observe({}, [0, 0])
    assert seen.gauge("lag") == [(0, 2), (5, 0)]
    at_once = _observe({"commit_interval": "0s", "max_poll_records": 1}, [0, 0])
    assert at_once.gauge("lag") == [(0, 2), (1, 1), (2, 0)]
    hot = _observe({"partitions": 2, "commit_interval": "0s"}, [0, 0, 0], keys=[TWO[0], TWO[0], TWO[1]], replicas=2)
    assert hot.gauge("lag") == [(0, 3), (1, 2), (2, 0)]
    assert hot.gauge("lag_hottest") == [(0, 2), (2, 0)]


def test_failed_work_is_tried_again_and_then_passed_over() -> None:
    """Twice in a row it fails: a dead letter; the records behind it waited, in order."""
    script = [(1, Outcome.ERROR), (1, Outcome.ERROR), (1, Outcome.ERROR), (1, Outcome.OK)]
    seen = _observe({"max_attempts": 2}, [0, 0], own=_scripted(script))
    assert seen.begun() == [0, 2]
    assert seen.stays["outcome"].tolist() == [Outcome.ERROR, Outcome.OK]
    assert seen.of_stream() == [(2, "dead_letter")]


def test_a_dead_consumer_is_missed_after_its_session_timeout_and_its_work_done_again() -> None:
    """Crash at 7.5 s, last heard of at 6 s: expelled at 16 s; what was not committed since 5 s comes again.

    Consumer 1 hears of the rebalance with its beat at 18 s and joins; 0.1 s later all is its own.
    """
    stream = {"partitions": 2, "session_timeout": "10s"}
    seen = _observe(stream, [5.2, 6.2, 7.2, 7.3], keys=[TWO[0]] * 4, replicas=2, faults=(_crash("7.5s", replica=0),))
    assert seen.of_stream() == [
        (16, "expelled"),
        (16, "rebalance"),
        (18.1, "redelivery"),  # done at 6.2 s
        (18.1, "redelivery"),  # done at 7.2 s
        (18.1, "redelivery"),  # in hand when it died
        (18.1, "rebalanced"),
        (19.1, "processed_again"),
        (20.1, "processed_again"),
    ]
    assert seen.begun() == [5.2, 6.2, 7.2, 21.1, 18.1, 19.1, 20.1]
    outcomes = [Outcome.OK] * 2 + [Outcome.ERROR] + [Outcome.OK] * 4
    assert seen.stays["outcome"].tolist() == outcomes
    # eager: partition 0 stands still from 16 s on, partition 1 from when its owner joins
    assert [step for step in seen.gauge("partitions_unread") if step[0] > 0] == [(16, 1), (18, 2), (18.1, 0)]


def test_a_restarted_consumer_stalls_the_group_until_the_dead_one_is_missed() -> None:
    """It comes at 9 s; consumer 1 hears at its beat at 9 s and stops; only at 16 s the dead one is counted out."""
    stream = {"partitions": 2, "session_timeout": "10s"}
    fault = _crash("7.5s", replica=0, restart_after="1s")
    starts_s = [9.5, 9.6]
    seen = _observe(stream, starts_s, keys=TWO, replicas=2, boot_time="500ms", faults=(fault,))
    assert seen.of_stream() == [(9, "rebalance"), (16, "expelled"), (16.1, "rebalanced")]
    assert seen.begun() == [16.1, 16.1]
    steps = seen.gauge("partitions_unread")
    assert [step for step in steps if step[0] > 0] == [(9, 1), (16, 2), (16.1, 0)]


def test_cooperative_stops_only_what_moves() -> None:
    """The same crash and restart: partition 1 is read all the time, partition 0 waits for the dead one's timeout."""
    stream = {"partitions": 2, "session_timeout": "10s", "rebalance": "cooperative"}
    fault = _crash("7.5s", replica=0, restart_after="1s")
    seen = _observe(stream, [9.5, 9.6], keys=TWO, replicas=2, boot_time="500ms", faults=(fault,))
    assert seen.of_stream() == [(9, "rebalance"), (16, "expelled"), (16.1, "rebalanced")]
    assert seen.begun() == [16.1, 9.6]
    assert [step for step in seen.gauge("partitions_unread") if step[0] > 0] == [(16, 1), (16.1, 0)]


def _scaled_out(rebalance: str) -> Seen:
    """Two partitions of one consumer; a second comes at 10 s + 2 s of boot; a record a second in each partition."""
    autoscaler = {
        "kind": "keda", "queue": "likes", "target": 1, "min": 1, "max": 2, "polling_interval": "1s",
        "sync_period": "10s", "activation": 0,
    }  # fmt: skip
    starts_s = [float(number) for number in range(8, 16) for _ in TWO]
    return _observe(
        {"partitions": 2, "commit_interval": "0s", "max_poll_records": 1, "rebalance": rebalance},
        starts_s,
        keys=TWO * 8,
        duration="30s",
        boot_time="2s",
        autoscaler=autoscaler,
    )


def test_scaling_out_stops_the_whole_group_or_only_what_moves() -> None:
    """The new one comes at 12 s; the old one hears at once (beat at 12 s), and joins when the record in hand is done.

    eager: from 13 s to 13.1 s nothing is read. cooperative: the old one reads on and gives partition 1 up at its next
    poll after the deal; it belongs to the new one when it, too, has been dealt.
    """
    eager = _scaled_out("eager")
    assert eager.of_stream() == [(12, "rebalance"), (13.1, "rebalanced")]
    assert [step for step in eager.gauge("partitions_unread") if step[0] > 0] == [(13, 2), (13.1, 0)]
    cooperative = _scaled_out("cooperative")
    assert [kind for _, kind in cooperative.of_stream()] == ["rebalance", "rebalanced"] * 2
    # Joined at 13 s, dealt at 13.1 s; gives partition 1 up at 14 s; the new one hears at its beat at 15 s.
    assert [step for step in cooperative.gauge("partitions_unread") if step[0] > 0] == [(14, 1), (15.1, 0)]
    for seen in (eager, cooperative):
        assert not [kind for _, kind in seen.of_stream() if kind == "redelivery"]
        assert seen.stays["outcome"].eq(Outcome.OK).all()


def test_a_consumer_that_drains_commits_and_leaves() -> None:
    """At 20 s the second consumer is told to go: nothing of its work is done again."""
    autoscaler = {
        "kind": "hpa", "metric": "concurrency", "target": "100%", "min": 1, "max": 2, "sync_period": "20s",
        "scale_down": {
            "stabilization_window": "0s", "policies": [{"kind": "percent", "value": 100, "period": "15s"}],
        },
    }  # fmt: skip
    seen = _observe(
        {"partitions": 2, "session_timeout": "10s"}, [1.0, 1.0, 50.0, 50.0], keys=TWO * 2,
        replicas=2, concurrency=1, autoscaler=autoscaler,
    )  # fmt: skip
    assert [kind for _, kind in seen.of_stream()] == ["rebalance", "rebalanced"]
    assert seen.stays["replica"].tolist() == [0, 1, 0, 0]
    assert seen.stays["outcome"].tolist() == [Outcome.OK] * 4
    assert sorted(seen.begun()) == [1, 1, 50, 51]


def test_a_batch_that_takes_too_long_is_done_again_by_another() -> None:
    """Three records of 4 s from 4 s on, against 10 s: expelled at 14 s in the third one, which both then work on.

    Consumer 1 hears at its beat at 15 s and needs 1 s for each; consumer 0 is done at 16 s and joins anew.
    """
    stream = {"max_poll_interval": "10s", "commit_interval": "0s"}
    own = _scripted([(4, Outcome.OK)] * 4, [(1, Outcome.OK)] * 3)
    seen = _observe(stream, [0, 0.1, 0.2, 0.3], replicas=2, own=own)
    assert seen.of_stream() == [
        (14, "expelled"),
        (14, "rebalance"),
        *[(15.1, "redelivery")] * 3,
        (15.1, "rebalanced"),
        (16, "rebalance"),
        (16.1, "processed_again"),
        (17.1, "processed_again"),
        (18.1, "processed_again"),
        (18.2, "rebalanced"),
    ]
    last = seen.stays[seen.stays["request"] == 3].sort_values("arrival_s")
    assert last["outcome"].tolist() == [Outcome.TIMEOUT, Outcome.OK]
    assert last["departure_s"].round(6).tolist() == [15.1, 18.1]


def test_a_frozen_consumer_is_missed_and_joins_anew() -> None:
    """It hangs from 4 s to 30 s and is counted out at 13 s; after 30 s it is a member again."""
    hang = {"kind": "hang", "component": "worker", "replica": 0, "at": "4s", "duration": "26s"}
    stream = {"partitions": 2, "session_timeout": "10s"}
    seen = _observe(stream, [20.0, 50.0], keys=[TWO[0]] * 2, replicas=2, faults=(hang,))
    assert (13, "expelled") in seen.of_stream()
    assert seen.stays["replica"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("partitions", "owned", "dealt"),
    [
        (3, [[0, 1, 2]], [[0, 1, 2]]),
        (5, [[0, 1, 2, 3, 4], []], [[0, 1, 2], [3, 4]]),
        (4, [[0], [1], []], [[0, 3], [1], [2]]),
        (2, [[0], [1], []], [[0], [1], []]),
    ],
)
def test_sticky_moves_as_little_as_an_even_deal_allows(
    partitions: int, owned: list[list[int]], dealt: list[list[int]]
) -> None:
    """Everybody keeps what an even share allows; what has no owner goes to who has fewest."""
    assert [sorted(each) for each in sticky(partitions, owned)] == dealt
