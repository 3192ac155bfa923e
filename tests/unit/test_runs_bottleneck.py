"""The bottleneck is where clients spend their time waiting, told with numbers; healthy runs name no culprit."""

from __future__ import annotations

import pytest

from lab.errors import NotEnoughData
from tests.unit.runs_frames import request, run_of, visit


def test_the_component_with_the_largest_share_of_waiting_is_named() -> None:
    """Two requests of 1 s each wait 0.5 and 0.3 s at the edge, 0.1 s each at the database."""
    visits = [
        visit(1, "edge", 3.0, 3.5, 4.0),
        visit(1, "main", 3.6, 3.7, 4.0),
        visit(2, "edge", 3.2, 3.5, 4.2),
        visit(2, "main", 3.7, 3.8, 4.2),
    ]
    found = run_of([request(1, 3.0, 1.0), request(2, 3.2, 1.0)], visits).bottleneck()
    assert found.component == "edge"
    assert found.waiting_share == pytest.approx(0.4)
    assert found.waiting_time_s_mean == pytest.approx(0.4)
    assert found.number_waiting_peak == 2
    assert not found.is_healthy
    assert found.sentence == (
        "Requests wait at edge for a connection to api: 40% of the sojourn time, 2 waiting at the peak, "
        "mean wait 400 ms."
    )


def test_a_healthy_run_says_so_with_the_number() -> None:
    """A wait of 2 % of the sojourn time is no bottleneck."""
    found = run_of([request(1, 3.0, 1.0)], [visit(1, "main", 3.0, 3.02, 4.0)]).bottleneck()
    assert found.is_healthy
    assert found.sentence == (
        "No component waits for more than 5% of the sojourn time: the largest share is 2.00%, at main "
        "(1 waiting at the peak, mean wait 20 ms)."
    )


def test_a_run_in_which_nobody_waits() -> None:
    """Without any wait there is no component to name."""
    found = run_of([request(1, 3.0, 1.0)], [visit(1, "main", 3.0, 3.0, 4.0)]).bottleneck()
    assert (found.component, found.waiting_share, found.is_healthy) == (None, 0.0, True)


def test_waits_after_the_client_left_do_not_count() -> None:
    """The client gave up after 1 s; the 8 s that its attempt went on waiting are not part of its sojourn."""
    rows = [request(1, 2.0, 1.0, "timeout")]
    found = run_of(rows, [visit(1, "main", 2.5, None, 9.0, abandoned=True)]).bottleneck()
    assert found.waiting_share == pytest.approx(0.5)
    assert found.sentence.endswith("1 waiting at the peak, none was let in.")


def test_parallel_waits_take_at_most_the_whole_sojourn() -> None:
    """Two branches that wait side by side cannot take more than 100 % of their request's time."""
    visits = [visit(1, "main", 3.0, 3.9, 4.0), visit(1, "main", 3.0, 3.8, 3.9)]
    assert run_of([request(1, 3.0, 1.0)], visits).bottleneck().waiting_share == 1.0


def test_shares_are_means_over_replications() -> None:
    """A share of 20 % in one replication and 60 % in the other is 40 %."""
    rows = [request(1, 3.0, 1.0, replication=n) for n in (0, 1)]
    visits = [visit(1, "api", 3.0, 3.0 + 0.2 + 0.4 * n, 4.0, replication=n) for n in (0, 1)]
    assert run_of(rows, visits).bottleneck().waiting_share == pytest.approx(0.4)


def test_without_visits_or_answers_it_is_not_known() -> None:
    """Where requests waited cannot be told without visits, nor against a sojourn time that nobody has."""
    with pytest.raises(NotEnoughData, match="has no visits"):
        run_of([request(1, 3.0, 1.0)]).bottleneck()
    with pytest.raises(NotEnoughData, match="no finished request"):
        run_of([request(1, 3.0, None)], [visit(1, "main", 3.0, None, None)]).bottleneck()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("nginx", "Requests wait at edge for servers that fail before one answers:"),
        ("envoy", "Requests wait at edge for a connection to api:"),
    ],
)
def test_what_a_wait_at_a_balancer_is_for(kind: str, words: str) -> None:
    """At nginx failed tries take the time, at Envoy its circuit breaker for connections."""
    run = run_of([request(1, 3.0, 1.0)], [visit(1, "edge", 3.0, 3.5, 4.0)])
    run.scenario["components"]["edge"] = {"kind": kind, "targets": "api"}
    assert run.bottleneck().sentence.startswith(words)
