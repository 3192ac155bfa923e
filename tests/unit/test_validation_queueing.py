"""What became of messages, worked out by hand from a few rows."""

from __future__ import annotations

from typing import Any

import pytest

from lab.errors import NotEnoughData
from lab.runs.run import Run
from lab.validation import queueing
from tests.unit.runs_frames import request, run_of, visit


def _stay(number: int, arrival: float, admitted: float | None) -> dict[str, Any]:
    departure = None if admitted is None else admitted + 0.1
    return visit(number, "jobs", arrival, admitted, departure, background=True)


def _run() -> Run:
    """Ten messages come at 3 and leave one by one from 4 to 4.9; one more comes at 6 and is never delivered."""
    stays = [_stay(number, 3.0, 4.0 + number / 10) for number in range(10)] + [_stay(10, 6.0, None)]
    publishings = [visit(number, "jobs.publish", 2.9, 2.9, 3.0) for number in range(11)]
    kinds = ["redelivery", "redelivery", "dead_letter"]
    happened = [{"replication": 0, "time_s": 5.0, "component": "jobs", "kind": kind, "detail": "{}"} for kind in kinds]
    requests = [request(number, 2.9, 0.1) for number in range(11)]
    return run_of(requests, [*stays, *publishings], events=happened)


def test_the_backlog_peaks_and_drains_to_a_tenth() -> None:
    """Ten at 3; one is left from 4.8 on, which is a tenth."""
    assert queueing.backlog_peak(_run(), "jobs") == [10.0]
    assert queueing.drain_time_s(_run(), "jobs") == [pytest.approx(1.8)]


def test_the_time_in_queue_is_that_of_delivered_messages() -> None:
    """1.0 to 1.9 s: 1.45 s on average."""
    assert queueing.time_in_queue_s_mean(_run(), "jobs") == [pytest.approx(1.45)]
    assert queueing.time_in_queue_s_p95(_run(), "jobs") == [pytest.approx(1.855)]


def test_the_time_until_done_runs_from_the_publishing_to_the_acknowledgement() -> None:
    """Each is worked on for 0.1 s: 1.55 s on average; the one that was never delivered does not count."""
    assert queueing.time_until_done_s_mean(_run(), "jobs") == [pytest.approx(1.55)]
    assert queueing.time_until_done_s_p95(_run(), "jobs") == [pytest.approx(1.955)]


def test_redeliveries_and_dead_letters_are_counted_per_message() -> None:
    """Two and one of eleven."""
    assert queueing.redelivery_ratio(_run(), "jobs") == [pytest.approx(2 / 11)]
    assert queueing.dead_letter_ratio(_run(), "jobs") == [pytest.approx(1 / 11)]


def test_a_queue_without_messages_is_an_error() -> None:
    """A misspelt name must not give a backlog of 0."""
    with pytest.raises(NotEnoughData, match="no message of 'job'"):
        queueing.backlog_peak(_run(), "job")
