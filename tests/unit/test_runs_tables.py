"""The tables refuse what is not as declared, and put equal content into one form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lab.errors import DomainError
from lab.runs import EVENTS, REQUESTS, SAMPLES, TABLES, VISITS, Tables
from tests.unit.runs_frames import frame_of, request, visit


def _columns(row: dict) -> dict:
    return {name: [value] for name, value in row.items()}


def test_columns_are_those_of_the_contract() -> None:
    """Names and order of the columns are fixed: other tools write and read these files."""
    assert REQUESTS.names == (
        "replication", "request", "endpoint", "key", "intended_start_s", "start_s", "end_s", "sojourn_time_s",
        "outcome", "attempts",
    )  # fmt: skip
    assert VISITS.names == (
        "replication", "request", "attempt", "component", "replica", "operation", "arrival_s", "admitted_s",
        "departure_s", "waiting_time_s", "service_time_s", "outcome", "hit", "stale", "abandoned",
        "background",
    )  # fmt: skip
    assert SAMPLES.names == ("replication", "time_s", "component", "replica", "gauge", "value")
    assert EVENTS.names == ("replication", "time_s", "component", "kind", "detail")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_an_empty_table_has_the_declared_types(table) -> None:
    """A table without rows has the same column types as one with rows."""
    frame = table.empty()
    assert list(frame.columns) == list(table.names)
    wanted = {"label": "category", "text": "str", "flag": "boolean"}
    for column in table.columns:
        assert str(frame[column.name].dtype) == wanted.get(column.kind, column.kind), column.name


def test_types_of_a_filled_table() -> None:
    """Counts are integers of the declared width, flags are nullable, labels are categorical."""
    frame = frame_of(VISITS, [visit(1, "items", 0.0, 0.0, 0.1, hit=True), visit(1, "main", 0.0, None, 0.1)])
    assert str(frame["replica"].dtype) == "int32"
    assert str(frame["hit"].dtype) == "boolean"
    assert frame["hit"].isna().tolist() == [False, True]


def test_a_missing_and_an_unknown_column_are_both_named() -> None:
    """The error names what lacks and what is too much, and the right columns."""
    row = _columns(request(1, 0.0, 0.1))
    del row["key"]
    with pytest.raises(DomainError, match=r"requests table: lacks key and has unknown rps; its columns are .*key"):
        REQUESTS.frame(row | {"rps": [1]})


BAD_REQUESTS = [
    ({"outcome": "done"}, "outcome: 'done' is not one of ok"),
    ({"endpoint": None}, "endpoint: row 0 is missing"),
    ({"endpoint": 5}, "endpoint: 5 is not text"),
    ({"endpoint": "all"}, "stands for the whole"),
    ({"request": 1.5}, "request: holds fractions"),
    ({"attempts": 2**40}, "does not fit in int32"),
    ({"key": "seven"}, "key: not numbers"),
    ({"intended_start_s": np.nan}, "intended_start_s: row 0 is missing"),
    ({"end_s": np.inf}, "end_s: row 0 is infinite"),
    ({"end_s": np.nan}, "if, and only if, its outcome is in_flight"),
    ({"outcome": "in_flight"}, "if, and only if, its outcome is in_flight"),
    ({"sojourn_time_s": 0.2}, "count from the INTENDED start"),
    ({"end_s": 0.5, "sojourn_time_s": -0.5}, "ends before its intended start"),
    ({"start_s": 1.5}, "ends before it starts"),
    ({"start_s": np.nan}, "ended but has no start_s"),
    ({"attempts": -1}, "negative number of attempts"),
]


@pytest.mark.parametrize(("change", "message"), BAD_REQUESTS, ids=[message[:30] for _, message in BAD_REQUESTS])
def test_impossible_requests_are_refused(change: dict, message: str) -> None:
    """Each rule of the requests table refuses the row that breaks it, and says why."""
    REQUESTS.frame(_columns(request(1, 1.0, 0.1)))
    with pytest.raises(DomainError, match=message):
        REQUESTS.frame(_columns(request(1, 1.0, 0.1) | change))


BAD_VISITS = [
    ({"departure_s": np.nan}, "if, and only if, its outcome is in_flight"),
    ({"admitted_s": 0.5}, "admitted_s before arrival_s"),
    ({"departure_s": 1.05}, "departure_s before admitted_s"),
    ({"admitted_s": np.nan, "departure_s": 0.5}, "departure_s before arrival_s"),
    ({"waiting_time_s": -0.1}, "negative waiting_time_s"),
    ({"service_time_s": -0.1}, "negative service_time_s"),
    ({"waiting_time_s": np.nan}, "admitted but lacks waiting_time_s"),
    ({"hit": "perhaps"}, "hit: not true, false or missing"),
]


@pytest.mark.parametrize(("change", "message"), BAD_VISITS, ids=[message[:30] for _, message in BAD_VISITS])
def test_impossible_visits_are_refused(change: dict, message: str) -> None:
    """Each rule of the visits table refuses the row that breaks it, and says why."""
    VISITS.frame(_columns(visit(1, "api", 1.0, 1.1, 1.2)))
    with pytest.raises(DomainError, match=message):
        VISITS.frame(_columns(visit(1, "api", 1.0, 1.1, 1.2) | change))


def test_a_rounded_clock_is_tolerated_within_its_resolution() -> None:
    """A part that logs whole milliseconds may seem to let a visit go 1 ms before it let it in."""
    frame = VISITS.frame(_columns(visit(1, "edge", 1.0, 1.1, 1.2) | {"departure_s": 1.099, "service_time_s": np.nan}))
    assert frame["departure_s"].tolist() == [1.099]


def test_a_request_has_one_row() -> None:
    """Two rows of one request in one replication are refused; in two replications they are two draws."""
    REQUESTS.frame({name: [0, 1] if name == "replication" else [value] * 2 for name, value in request(1, 0, 1).items()})
    with pytest.raises(DomainError, match="appears twice"):
        frame_of(REQUESTS, [request(1, 0.0, 1.0), request(1, 0.0, 1.0)])


def test_columns_of_different_length_are_refused() -> None:
    """A column that is too short is named with its length."""
    with pytest.raises(DomainError, match="columns differ in length"):
        REQUESTS.frame(_columns(request(1, 0.0, 0.1)) | {"key": [1, 2]})


def test_events_before_the_start_are_refused() -> None:
    """A negative time means that clocks were mixed up."""
    with pytest.raises(DomainError, match="time_s is negative"):
        EVENTS.frame({"replication": [0], "time_s": [-1.0], "component": ["a"], "kind": ["b"], "detail": [""]})


def test_equal_content_takes_one_form() -> None:
    """The order of rows and of categories in what was given leaves no trace, and the index is fresh."""
    rows = [request(2, 0.0, 0.1, endpoint="b"), request(1, 0.0, 0.2, endpoint="a")]
    one, other = frame_of(REQUESTS, rows), frame_of(REQUESTS, rows[::-1])
    shuffled = pd.DataFrame(rows, index=[9, 4])
    shuffled["endpoint"] = pd.Categorical(shuffled["endpoint"], categories=["z", "b", "a"])
    pd.testing.assert_frame_equal(one, other)
    pd.testing.assert_frame_equal(one, REQUESTS.frame(shuffled))
    assert one["request"].tolist() == [1, 2]
    assert list(one["endpoint"].cat.categories) == ["a", "b"]


def test_stacking_joins_replications_and_their_labels() -> None:
    """Frames whose labels differ stack into one frame with the union, in order."""
    first = frame_of(REQUESTS, [request(1, 0.0, 0.1, replication=1, endpoint="b")])
    second = frame_of(REQUESTS, [request(1, 0.0, 0.1, replication=0, endpoint="a")])
    stacked = REQUESTS.stack([first, second])
    assert stacked["replication"].tolist() == [0, 1]
    assert stacked["endpoint"].tolist() == ["a", "b"]
    assert len(REQUESTS.stack([])) == 0


def test_tables_check_what_they_are_given() -> None:
    """A Tables object cannot hold an unchecked frame, and empty tables need not be given."""
    with pytest.raises(DomainError, match="requests table: lacks"):
        Tables(requests=pd.DataFrame({"request": [1]}))
    assert [len(frame) for frame in Tables(requests=REQUESTS.empty()).as_dict().values()] == [0] * 5
