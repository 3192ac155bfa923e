"""A Run as an object: what it accepts, how it is recognised, and how it looks in a notebook."""

from __future__ import annotations

import pickle

import pytest

from lab.errors import DomainError, NotEnoughData
from lab.runs import REQUESTS, Run, Tables
from lab.runs.figures import figure_text, interval_text
from tests.unit.runs_frames import SCENARIO, busy_run, request, run_of, visit


def test_fingerprints_tell_content_apart() -> None:
    """The same rows give the same hash whatever their order; one changed value gives another."""
    rows = [request(1, 3.0, 0.1), request(2, 4.0, 0.1)]
    base = run_of(rows).fingerprint()
    assert run_of(rows[::-1], world="measured", seed=7).fingerprint() == base
    for change in ({"key": 8}, {"endpoint": "write"}, {"outcome": "error"}, {"attempts": 2}):
        assert run_of([rows[0], rows[1] | change]).fingerprint() != base
    assert run_of(rows, [visit(1, "api", 3.0, 3.0, 3.1)]).fingerprint() != base


@pytest.mark.parametrize("hit", [True, False, None])
def test_a_missing_flag_is_not_a_false_one(hit: bool | None) -> None:
    """Hit, miss and not a lookup each hash differently."""
    prints = {
        run_of([request(1, 3.0, 0.1)], [visit(1, "items", 3.0, 3.0, 3.1, hit=other)]).fingerprint()
        for other in (hit, True, False, None)
    }
    assert len(prints) == 3


def test_paired_runs_share_a_schedule() -> None:
    """What came of the requests does not matter to the schedule, what was asked for and when does."""
    base = run_of([request(1, 3.0, 0.1)]).schedule_fingerprint()
    assert run_of([request(1, 3.0, 0.9, "timeout")], world="measured").schedule_fingerprint() == base
    assert run_of([request(1, 3.0, 0.1), request(1, 5.0, 0.1, replication=1)]).schedule_fingerprint() == base
    for change in ({"key": 8}, {"endpoint": "write"}, {"request": 2}):
        assert run_of([request(1, 3.0, 0.1) | change]).schedule_fingerprint() != base
    assert run_of([request(1, 3.5, 0.1)]).schedule_fingerprint() != base
    with pytest.raises(NotEnoughData, match="no schedule"):
        run_of([]).schedule_fingerprint()


def test_documents_are_copied_and_must_be_plain() -> None:
    """A later change to the caller's dict does not reach the Run; what JSON cannot hold is refused."""
    provenance = {"host": {"cores": 2}}
    run = run_of([request(1, 3.0, 0.1)], provenance=provenance)
    provenance["host"]["cores"] = 99
    assert run.provenance["host"]["cores"] == 2
    with pytest.raises(DomainError, match="provenance: is not plain JSON"):
        run_of([request(1, 3.0, 0.1)], provenance={"when": float("nan")})
    with pytest.raises(DomainError, match="world is 'dreamt'"):
        run_of([request(1, 3.0, 0.1)], world="dreamt")


def test_frames_handed_out_are_copies() -> None:
    """Changing what metrics and to_pandas gave does not change the Run."""
    run = run_of([request(1, 3.0, 0.1)])
    metrics, requests = run.metrics(), run.to_pandas()["requests"]
    metrics["value"] = -1.0
    requests["key"] = -1
    assert run.value("goodput_per_s") == 1 / 8
    assert run.requests["key"].tolist() == [7]


def test_values_a_replication_keep_their_numbers() -> None:
    """The values of a figure are indexed by replication, which pairs them with another Run's."""
    run = run_of([request(1, 3.0, 0.1, replication=4), request(1, 3.0, 0.3, replication=9)])
    assert run.per_replication("sojourn_time_s_mean").to_dict() == pytest.approx({4: 0.1, 9: 0.3})
    assert run.replications == (4, 9)
    assert run.value("sojourn_time_s_mean") == pytest.approx(0.2)


def test_a_run_travels_between_processes() -> None:
    """Replications are made in worker processes, so a Run must survive pickling."""
    run = busy_run(replications=1, count=20)
    run.metrics()
    assert pickle.loads(pickle.dumps(run)).fingerprint() == run.fingerprint()


def test_repr_says_what_it_is() -> None:
    """The plain representation has the name, the world and the counts."""
    text = repr(busy_run(replications=2, count=10))
    assert text == "Run('small', predicted, 2 replication(s), 20 requests, 40 visits)"


def test_the_card_has_figures_and_verdicts_and_escapes_texts() -> None:
    """A notebook shows the question, the main figures with intervals, badges, and no raw markup from the scenario."""
    card = busy_run()._repr_html_()
    assert card is not None
    assert "Is &lt;one&gt; slot enough?" in card
    assert "<one>" not in card
    assert "sojourn_time_s_p99" in card
    assert ">not met<" in card
    assert "sojourn_time p99 of read &lt;= 200 ms" in card
    assert "5 replications" in card


def test_a_run_without_figures_has_no_card() -> None:
    """Where nothing can be summed up, a notebook falls back on the plain representation."""
    assert run_of([request(1, 0.5, 0.1)])._repr_html_() is None


def test_a_run_needs_a_window() -> None:
    """A scenario without run.duration is refused when the Run is made, not when it is asked."""
    with pytest.raises(DomainError, match="needs duration and warm_up"):
        Run(
            world="predicted",
            scenario={key: value for key, value in SCENARIO.items() if key != "run"},
            tables=Tables(requests=REQUESTS.empty()),
            seed=1,
            provenance={},
        )


@pytest.mark.parametrize(
    ("value", "metric", "unit", "text"),
    [
        (0.0123456, "sojourn_time_s_p99", "s", "12.3 ms"),
        (0.3, "sojourn_time_s_p99", "s", "300 ms"),
        (1.234, "sojourn_time_s_p99", "s", "1.23 s"),
        (0.0000123, "waiting_time_s_mean", "s", "0.0123 ms"),
        (0.0, "waiting_time_s_mean", "s", "0 ms"),
        (1234.4, "goodput_per_s", "1/s", "1,234/s"),
        (0.9995, "hit_ratio", "", "100 %"),
        (0.00123, "error_ratio", "", "0.123 %"),
        (2.0, "in_flight", "", "2"),
        (-0.05, "error_ratio", "", "-5 %"),
        (float("nan"), "error_ratio", "", "\N{EN DASH}"),
    ],
)
def test_figures_read_well(value: float, metric: str, unit: str, text: str) -> None:
    """Three digits, milliseconds below one second, percent for ratios, a dash for what is missing."""
    assert figure_text(value, metric=metric, unit=unit) == text


def test_a_missing_interval_is_a_dash() -> None:
    """One replication has no interval, which reads as a dash and not as nan."""
    assert interval_text(float("nan"), 1.0, metric="hit_ratio", unit="") == "\N{EN DASH}"
