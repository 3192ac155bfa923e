"""What a scenario may not say about its queues, and what the arithmetic says of them."""

from __future__ import annotations

from typing import Any

import pytest

import lab
from lab.errors import ScenarioError, Unsupported
from lab.measurement.render import deployment
from tests.unit.backends import scenario, service, waiting

_QUEUE = {"kind": "queue", "consumer": "worker", "endpoint": "get"}
_PUBLISH = {"kind": "publish", "queue": "jobs"}


def _jobs(queue: dict[str, Any], **worker: Any) -> lab.Scenario:
    api, consumer = service(_PUBLISH), service(waiting("20ms"), **worker)
    return scenario({"api": api, "jobs": _QUEUE | queue, "worker": consumer})


@pytest.mark.parametrize(
    ("queue", "says"),
    [
        (
            {"consumer": "jobs"},
            r"components.jobs.consumer: 'jobs' is not a service of this scenario \(services: api",
        ),
        ({"endpoint": "put"}, r"components.jobs.endpoint: 'worker' has no endpoint 'put' \(it has: get\)"),
        ({"partitions": 2, "prefetch": 3}, "components.jobs.prefetch: has no effect with partitions"),
        (
            {"overflow": "reject"},
            "components.jobs.overflow: has no effect, as a queue without a capacity",
        ),
        ({"acknowledge": "before", "max_attempts": 2}, "components.jobs.max_attempts: has no effect with acknowledge"),
        ({"visibility_timeout": None}, "components.jobs.visibility_timeout: is none, so with redelivery: timeout"),
        ({"prefetch": 9}, "components.jobs.prefetch: lets a replica hold 9 messages, but 'worker' has room for 3"),
        (
            {"redelivery": "at_once", "poll_interval": "10ms"},
            "components.jobs.poll_interval: has no effect with",
        ),
        ({"partitions": 2, "max_priority": 9}, "components.jobs.max_priority: has no effect with partitions"),
        ({"consumer": "api", "endpoint": "get"}, r"the calls go round in a circle \(api -> jobs -> api\)"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_queue_that_cannot_work_is_refused(queue: dict[str, Any], says: str) -> None:
    """Names lead somewhere, work on messages ends, and no key is without effect."""
    with pytest.raises(ScenarioError, match=says):
        _jobs(queue, concurrency=1, backlog=2)


def test_a_message_goes_to_a_queue() -> None:
    """What is not a queue cannot be published to."""
    with pytest.raises(
        ScenarioError, match=r"get.0.queue: 'worker' is not a queue, stream or mailbox \(there are: none\)"
    ):
        scenario({"api": service({"kind": "publish", "queue": "worker"}), "worker": service(waiting("1ms"))})


def test_a_priority_needs_a_queue_that_heeds_it() -> None:
    """Without max_priority all messages are of one class."""
    with pytest.raises(
        ScenarioError, match=r"get.0.priority: has no effect, as 'jobs' is no queue with a max_priority"
    ):
        scenario({"api": service(_PUBLISH | {"priority": 3}), "jobs": _QUEUE, "worker": service(waiting("1ms"))})


def test_a_variant_of_a_queue_is_a_scenario() -> None:
    """A variant carries every default, which must not be taken for a key without effect."""
    described = _jobs({"acknowledge": "after"}).with_({"components.jobs.capacity": 7})
    assert described.with_({"components.jobs.acknowledge": "before"}).components["jobs"].capacity == 7


def test_the_request_does_not_wait_for_the_work_but_the_consumers_do_it() -> None:
    """At 1/s, work of 20 ms keeps 0.02 of the two consumers' hands busy; the request is gone after the publishing."""
    paper = lab.arithmetic(_jobs({"publish_time": "2ms"}, replicas=2, concurrency=1))
    assert paper.row("jobs", "deliveries").offered_load == pytest.approx(0.02)
    assert paper.row("jobs", "deliveries").servers == 2
    assert paper.row("worker", "slots").utilisation == pytest.approx(0.01)
    assert paper.row("api", "slots").holding_time_s == pytest.approx(0.002)


def test_more_work_than_consumers_is_unstable_unless_the_queue_is_bounded() -> None:
    """A backlog without a bound grows for ever; one with a capacity loses messages instead."""
    slow = _jobs({}, concurrency=1).with_({"components.worker.endpoints.get.0.time": "2s"})
    assert [found.severity for found in lab.arithmetic(slow).findings if found.component == "jobs"] == ["unstable"]
    bounded = slow.with_({"components.jobs.capacity": 5})
    assert [found.severity for found in lab.arithmetic(bounded).findings if found.component == "jobs"] == ["overload"]


def test_the_picture_shows_publisher_queue_and_consumer() -> None:
    """An arrow into the queue and one out of it."""
    text = lab.mermaid(_jobs({"partitions": 4}))
    assert 'part_api -->|"get: publish"| part_jobs' in text
    assert 'part_jobs -->|"get"| part_worker' in text
    assert "4 partitions" in text


@pytest.mark.parametrize("queue", [{"partitions": 2}, {"max_priority": 9}, {"redelivery": "at_once"}])
def test_what_a_stream_of_valkey_cannot_do_is_not_measured(queue: dict[str, Any]) -> None:
    """One line, one class, redelivery after a timeout: anything else is refused instead of left out."""
    with pytest.raises(Unsupported, match=f"components.jobs.{next(iter(queue))}: is .* which the lab can predict"):
        deployment(_jobs(queue))


def test_a_stream_that_nobody_looks_at_is_not_measured() -> None:
    """With Streams the consumers must look for what comes back; the broker does not do it for them."""
    with pytest.raises(Unsupported, match=r"components.jobs.poll_interval: the consumers of a stream must look"):
        deployment(_jobs({}))


def test_work_on_a_message_may_not_pass_a_load_balancer_where_it_is_measured() -> None:
    """The balancer's log does not tell it from what clients wait for."""
    parts = {
        "api": service(_PUBLISH),
        "jobs": _QUEUE,
        "worker": service({"kind": "call", "target": "edge", "endpoint": "get"}),
        "edge": {"kind": "load_balancer", "targets": "push"},
        "push": service(waiting("1ms")),
    }
    with pytest.raises(Unsupported, match=r"components.jobs.consumer: 'worker' calls 'edge', a load balancer"):
        deployment(scenario(parts))


def test_a_message_carries_the_demands_of_every_delivery() -> None:
    """Of 3 deliveries of 1 wait each, after the publisher's own; acknowledged before there is but one."""
    described = _jobs({"max_attempts": 3, "poll_interval": "10ms"})
    handed = deployment(described)["parts"]["api"]["endpoints"]["get"]
    assert handed["demands"] == 3
    assert handed["steps"] == [{"kind": "publish", "queue": "jobs", "demands_from": 0, "demands": 3}]
    once = deployment(_jobs({"acknowledge": "before"}))["parts"]["api"]["endpoints"]["get"]
    assert once["demands"] == 1
