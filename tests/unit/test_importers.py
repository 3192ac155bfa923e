"""Measured runs of others: what comes in is what was there, and what cannot be used is told with its row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import lab
from lab.cli import commands
from lab.errors import NotEnoughData, UsageError
from lab.runs.importers import import_file, locust_statistics

LOCUST = """timestamp,request_type,name,response_time_ms,response_length,status_code,exception
1700000000.5,GET,/items/7,12.50,120,200,
1700000000.0,GET,/items/7,10.00,120,200,
1700000001.0,POST,/orders,500.00,0,0,ConnectTimeout: timed out
1700000001.5,POST,/orders,3.00,20,503,HTTPError('503')
1700000002.0,POST,/orders,soon,20,200,
1700000002.5,GET,/items/7
"""
K6 = """metric_name,timestamp,metric_value,method,name,status
http_reqs,1700000001,1.000000,GET,http://x/a?token=1,200
http_req_duration,1700000001,250.000000,GET,http://x/a?token=1,200
http_req_duration,1700000002,oops,GET,http://x/a,200
"""
JTL = """timeStamp,elapsed,label,responseCode,success
1700000001000,100,Home,200,true
1700000001500,200,Home,Non HTTP response code: java.net.SocketException,false
1700000001600,200,Home,200,maybe
"""
COMMON = """10.0.0.1 - - [10/Oct/2026:13:55:36 +0000] "GET /users/4711?name=x HTTP/1.1" 200 2326 "-" "app/1.0" 0.120
10.0.0.1 - ann [10/Oct/2026:13:55:38 +0000] "POST /orders HTTP/1.1" 429 - "-" "app/1.0" 0.001
not a line
"""
HAPROXY = (
    "Oct 10 13:55:36 lb haproxy[7]: 10.0.0.1:33 [10/Oct/2026:13:55:36.100] edge api/api0 5/30/0/60/100 200 15 - - "
    '---- 1/1/1/1/0 0/0 "GET /feed HTTP/1.1"\n'
    "Oct 10 13:55:36 lb haproxy[7]: 10.0.0.1:34 [10/Oct/2026:13:55:36.200] edge api/<NOSRV> 0/50/-1/-1/50 503 15 - - "
    'sQ-- 1/1/1/1/0 0/0 "GET /feed HTTP/1.1"\n'
    "Oct 10 13:55:36 lb haproxy[7]: 10.0.0.1:35 [10/Oct/2026:13:55:36.200] edge api/<NOSRV> -1/-1/-1/-1/9 400 0 - - "
    'CR-- 1/1/1/1/0 0/0 "GET /feed HTTP/1.1"\n'
)


def _file(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def _span(
    name: str, number: str, parent: str, kind: int, start_ms: int, end_ms: int, **attributes: str
) -> dict[str, object]:
    return {
        "traceId": "t1",
        "spanId": number,
        "parentSpanId": parent,
        "kind": kind,
        "name": name,
        "startTimeUnixNano": str(start_ms * 1_000_000),
        "endTimeUnixNano": str(end_ms * 1_000_000),
        "attributes": [
            {"key": key.replace("__", "."), "value": {"stringValue": value}} for key, value in attributes.items()
        ],
    }


def test_locusts_request_log(tmp_path: Path) -> None:
    """Sorted by when they were sent, in seconds; failures by their kind; two bad rows told by their lines."""
    imported = import_file(_file(tmp_path, "requests.csv", LOCUST), "locust")
    assert imported.left_out == 2
    assert [problem.split(":")[1].strip() for problem in imported.problems] == ["line 6", "line 7"]
    run = imported.run()
    assert run.requests["intended_start_s"].tolist() == pytest.approx([0.0, 0.5, 1.0, 1.5])
    assert run.requests["sojourn_time_s"].tolist() == pytest.approx([0.010, 0.0125, 0.5, 0.003])
    assert run.requests["outcome"].tolist() == ["ok", "ok", "timeout", "rejected"]
    assert run.provenance["imported"]["left_out"] == 2
    assert run.value("error_ratio") == pytest.approx(0.5)
    run.save(tmp_path / "run")
    assert lab.Run.load(tmp_path / "run").fingerprint() == run.fingerprint()


def test_k6_counts_back_from_the_end_and_keeps_no_query(tmp_path: Path) -> None:
    """A sample is stamped at its end; whole seconds are pointed out."""
    imported = import_file(_file(tmp_path, "k6.csv", K6), "k6")
    (answer,) = imported.answers
    assert (answer.sent_s, answer.endpoint) == (pytest.approx(1700000000.75), "GET http://x/a")
    assert imported.left_out == 1
    assert "to a second only" in imported.notes[0]


def test_k6_json(tmp_path: Path) -> None:
    """Points of other metrics are no rows; nanoseconds are read."""
    point = {
        "time": "2026-10-10T13:55:36.123456789+02:00",
        "value": 50.0,
        "tags": {"method": "GET", "name": "/a", "status": "500"},
    }
    lines = [
        {"type": "Metric", "metric": "http_req_duration", "data": {}},
        {"type": "Point", "metric": "http_req_duration", "data": point},
        {"type": "Point", "metric": "vus", "data": {"value": 1}},
    ]
    imported = import_file(_file(tmp_path, "k6.json", "\n".join(map(json.dumps, lines)) + "\nbroken\n"), "k6-json")
    assert [(answer.endpoint, answer.outcome, answer.duration_s) for answer in imported.answers] == [
        ("GET /a", "error", 0.05)
    ]
    assert imported.left_out == 1


@pytest.mark.parametrize(("stamped_at", "sent_s"), [("start", 1700000001.0), ("end", 1700000000.9)])
def test_jmeters_stamp_is_what_its_properties_say(stamped_at: str, sent_s: float, tmp_path: Path) -> None:
    """Start or end; a sample that failed is an error whatever its code."""
    imported = import_file(_file(tmp_path, "x.jtl", JTL), "jtl", stamped_at=stamped_at)
    assert imported.answers[0].sent_s == pytest.approx(sent_s)
    assert [answer.outcome for answer in imported.answers] == ["ok", "error"]
    assert "neither true nor false" in imported.problems[0]


def test_har(tmp_path: Path) -> None:
    """An entry without a time is left out with its number."""
    entry = {
        "startedDateTime": "2026-10-10T13:55:36.100Z",
        "time": 120.5,
        "request": {"method": "GET", "url": "https://api.example/users/12/posts?token=secret"},
        "response": {"status": 200},
    }
    text = json.dumps({"log": {"entries": [entry, {**entry, "time": None}]}})
    imported = import_file(_file(tmp_path, "x.har", text), "har")
    assert [answer.endpoint for answer in imported.answers] == ["GET /users/{id}/posts"]
    assert "entry 1" in imported.problems[0]


def test_a_common_log_without_durations_is_a_schedule(tmp_path: Path) -> None:
    """With their unit it is a Run; nothing of a query is kept, and an account's number is not either."""
    path = _file(tmp_path, "access.log", COMMON)
    timed = import_file(path, "common", duration_unit="s")
    assert [answer.duration_s for answer in timed.answers] == [0.12, 0.001]
    assert [answer.outcome for answer in timed.answers] == ["ok", "rejected"]
    assert timed.left_out == 1
    bare = import_file(path, "common")
    assert bare.schedule().to_dict("list") == {
        "intended_start_s": [0.0, 2.0],
        "endpoint": ["get_users_id", "post_orders"],
    }
    with pytest.raises(NotEnoughData, match="not how long they took"):
        bare.run()


def test_haproxys_log_knows_the_wait_in_its_queue(tmp_path: Path) -> None:
    """A request came when its client had sent it; one that was given up before is left out."""
    imported = import_file(_file(tmp_path, "haproxy.log", HAPROXY), "haproxy")
    assert [answer.duration_s for answer in imported.answers] == pytest.approx([0.095, 0.050])
    assert [answer.outcome for answer in imported.answers] == ["ok", "rejected"]
    assert imported.left_out == 1
    assert imported.run().visits["waiting_time_s"].tolist() == pytest.approx([0.030, 0.050])


def test_otlp_spans_become_requests_and_visits(tmp_path: Path) -> None:
    """A service's own work is its span without its calls, those within internal spans too; a query is a visit."""
    spans = [
        _span("GET /feed", "a", "", 2, 1000, 1100),
        _span("render", "b", "a", 1, 1010, 1090),
        _span("select posts", "c", "b", 3, 1020, 1050, db__system="postgresql", db__namespace="main"),
        _span("broken", "d", "a", 3, 1020, 900),
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "api"}}]}
    text = json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]})
    imported = import_file(_file(tmp_path, "spans.json", text), "otlp")
    assert [(answer.endpoint, answer.duration_s) for answer in imported.answers] == [("GET /feed", pytest.approx(0.1))]
    visits = imported.run().visits.set_index("component")["service_time_s"]
    assert visits.to_dict() == {"api": pytest.approx(0.07), "main": pytest.approx(0.03)}
    assert "ends before it starts" in imported.problems[0]


def test_locusts_statistics_are_figures_not_requests(tmp_path: Path) -> None:
    """Under a Run's names, in seconds."""
    header = "Type,Name,Request Count,Failure Count,Average Response Time,Requests/s,50%,95%,99%\n"
    path = _file(
        tmp_path, "x_stats.csv", header + "GET,/a,100,5,20.0,10.0,18,30,44\n,Aggregated,100,5,20.0,10.0,18,30,44\n"
    )
    figures = locust_statistics(path).set_index(["metric", "subject"])["value"]
    assert figures["error_ratio", "all"] == 0.05
    assert figures["sojourn_time_s_p99", "GET /a"] == pytest.approx(0.044)
    with pytest.raises(UsageError, match="lacks the columns"):
        locust_statistics(_file(tmp_path, "y.csv", LOCUST))


@pytest.mark.parametrize("kind", ["locust", "k6", "jtl", "har", "otlp", "common", "haproxy", "k6-json"])
def test_a_file_of_another_format_is_refused(kind: str, tmp_path: Path) -> None:
    """With its name, and nothing comes back half."""
    with pytest.raises((UsageError, NotEnoughData), match=r"notes\.txt"):
        import_file(_file(tmp_path, "notes.txt", "remember the milk\n"), kind)  # type: ignore[arg-type]


def test_the_command_tells_what_it_left_out(tmp_path: Path) -> None:
    """Rows and totals to stderr, figures to stdout, the Run into the folder."""
    path = _file(tmp_path, "requests.csv", LOCUST)
    done = CliRunner().invoke(commands.app, ["import", "locust", str(path), "--out", str(tmp_path / "run")])
    assert done.exit_code == 0
    assert "line 6" in done.stderr
    assert "2 of 6 rows were left out" in done.stderr
    assert "sojourn_time_s_p95" in done.stdout
    assert lab.Run.load(tmp_path / "run").world == "measured"
