"""A whole run against real servers: what the traces say must be what was sent."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from reference_backend.load.schedule import Planned, Schedule, write_schedule

pytestmark = pytest.mark.measured
ROOT = Path(__file__).resolve().parents[2]

TIMEOUT_S, ATTEMPTS, BACKOFF_S, QUEUE_TIMEOUT_S, SLOW_S = 0.5, 2, 0.05, 0.3, 0.25
BURST = range(200, 216)

DEPLOYMENT = {
    "schema_version": 1,
    "name": "small",
    "entry": "edge",
    "client": {"timeout_s": TIMEOUT_S, "attempts": ATTEMPTS},
    "parts": {
        "edge": {
            "kind": "load_balancer",
            "algorithm": "leastconn",
            "targets": "api",
            "max_connections_per_server": 2,
            "queue_timeout_s": QUEUE_TIMEOUT_S,
            "server_timeout_s": 30.0,
        },
        "api": {
            "kind": "service",
            "replicas": 2,
            "concurrency": 3,
            "backlog": 4,
            "endpoints": {
                "read_item": {
                    "method": "GET",
                    "demands": 3,
                    "steps": [
                        {"kind": "cpu", "demand": 0},
                        {"kind": "wait", "demand": 1},
                        {
                            "kind": "cached",
                            "cache": "items",
                            "miss": [{"kind": "query", "database": "main", "query": "item_by_id", "demand": 2}],
                        },
                    ],
                },
                "write_item": {
                    "method": "POST",
                    "demands": 1,
                    "steps": [{"kind": "query", "database": "main", "query": "insert_item", "demand": 0}],
                },
                "fan_out": {
                    "method": "GET",
                    "demands": 2,
                    "steps": [
                        {
                            "kind": "parallel",
                            "branches": [
                                [{"kind": "wait", "demand": 0}],
                                [
                                    {
                                        "kind": "call",
                                        "target": "profiles",
                                        "endpoint": "profile",
                                        "demands_from": 1,
                                        "demands": 1,
                                    }
                                ],
                            ],
                        }
                    ],
                },
                "slow": {"method": "GET", "demands": 1, "steps": [{"kind": "wait", "demand": 0}]},
            },
        },
        "profiles": {
            "kind": "service",
            "concurrency": 8,
            "backlog": 8,
            "endpoints": {"profile": {"method": "GET", "demands": 1, "steps": [{"kind": "wait", "demand": 0}]}},
        },
        "items": {"kind": "cache", "capacity_entries": 500, "ttl_s": 60.0, "value_bytes": 256},
        "main": {
            "kind": "database",
            "pool": {"size": 4, "overflow": 0, "timeout_s": 2.0},
            "rows": 1000,
            "queries": {"item_by_id": {"statement": "select"}, "insert_item": {"statement": "insert"}},
        },
    },
}


def planned(request: int, endpoint: str, start_s: float, demands_s: tuple[float, ...], key: int = 1) -> Planned:
    """Return a request whose attempts all have the same demands."""
    return Planned(
        request=request,
        endpoint=endpoint,
        key=key,
        intended_start_s=start_s,
        demands_s=demands_s * ATTEMPTS,
        backoffs_s=(BACKOFF_S,),
    )


def schedule() -> Schedule:
    """Return five seconds of traffic: single reads, calls, writes, then a burst of slow requests and one too slow."""
    reads = [planned(n, "read_item", 0.2 + 0.03 * n, (0.001, 0.002, 0.004), key=n % 20) for n in range(60)]
    calls = [planned(100 + n, "fan_out", 2.2 + 0.05 * n, (0.010, 0.020)) for n in range(10)]
    writes = [planned(150 + n, "write_item", 2.8 + 0.02 * n, (0.005,)) for n in range(10)]
    burst = [planned(n, "slow", 3.1, (SLOW_S,)) for n in BURST]
    too_slow = [planned(300, "slow", 4.5, (0.6,))]
    return Schedule(duration_s=5.0, requests=(*reads, *calls, *writes, *burst, *too_slow))


class Results:
    """The tables of one repeat, as lists of rows."""

    def __init__(self, folder: Path) -> None:
        self.requests, self.attempts, self.spans, self.samples, self.events = (
            pq.read_table(folder / f"{name}.parquet").to_pylist()
            for name in ("requests", "attempts", "spans", "samples", "events")
        )
        self.generator = json.loads((folder / "generator.json").read_text())

    def of(self, component: str, operation: str | None = None) -> list[dict]:
        """Return the spans of a component."""
        return [
            span for span in self.spans if span["component"] == component and operation in (None, span["operation"])
        ]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the small deployment twice over the same schedule."""
    folder = tmp_path_factory.mktemp("reference")
    (folder / "deployment.json").write_text(json.dumps(DEPLOYMENT))
    write_schedule(folder / "schedule.parquet", schedule())
    command = [
        sys.executable,
        "-m",
        "reference_backend",
        "run",
        "--deployment",
        folder / "deployment.json",
        "--schedule",
        folder / "schedule.parquet",
        "--repeats",
        "2",
        "--out",
        folder / "out",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=80, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events if event["event"] in ("workdir", "repeat", "finished")] == [
        "workdir",
        "repeat",
        "repeat",
        "finished",
    ]
    assert not os.path.exists(events[0]["path"]), "the temporary folder is still there"
    return folder / "out"


@pytest.fixture(scope="module", params=[0, 1])
def results(output: Path, request: pytest.FixtureRequest) -> Results:
    """Return the tables of each repeat in turn."""
    return Results(output / f"repeat-{request.param}")


def test_every_request_is_recorded_once(results: Results) -> None:
    """What was scheduled was sent, and nothing else."""
    assert [row["request"] for row in results.requests] == [one.request for one in schedule().requests]
    assert results.generator["sent"] == len(schedule().requests)
    assert results.generator["dropped"] == 0
    assert results.generator["faults"] == 0
    assert results.generator["unfinished"] == 0
    assert abs(results.generator["clock_step_s"]) < 0.1, "nobody has set the clock meanwhile"


def test_generator_says_how_late_it_was(results: Results) -> None:
    """The reported lateness is that of the table, and far below a demand's size."""
    late = sorted(row["start_s"] - row["intended_start_s"] for row in results.requests)
    assert late[-1] == pytest.approx(results.generator["lateness_s_max"])
    assert late[0] >= 0.0, "a request left before its time"
    # Not the 2 ms of a valid measurement: the machine that runs the tests may be busy with something else.
    assert results.generator["lateness_s_p50"] < 0.005


def test_spans_join_the_requests(results: Results) -> None:
    """Each span belongs to an attempt, and lies within it by the one clock that all processes share."""
    attempts = {(row["request"], row["attempt"]): row for row in results.attempts}
    for span in results.spans:
        attempt = attempts[span["request"], span["attempt"]]
        assert span["arrival_s"] >= attempt["start_s"] - 0.002
        if attempt["outcome"] == "ok" and span["component"] != "edge":
            assert span["arrival_s"] <= attempt["end_s"]


def test_each_attempt_passed_the_load_balancer(results: Results) -> None:
    """HAProxy's log has exactly one line an attempt."""
    entered = Counter((span["request"], span["attempt"]) for span in results.of("edge"))
    assert entered == Counter((row["request"], row["attempt"]) for row in results.attempts)


def test_hits_and_misses_are_those_of_a_replay(results: Results) -> None:
    """The first read of each of the 20 keys misses and queries the database; the other 40 hit."""
    seen: set[int] = set()
    keys = {row["request"]: row["key"] for row in results.requests}
    for span in results.of("items", "get"):
        key = keys[span["request"]]
        assert span["hit"] is (key in seen), f"request {span['request']}"
        seen.add(key)
    assert len(results.of("items", "get")) == 60
    assert len(results.of("items", "set")) == len(results.of("main", "item_by_id")) == 20


def test_demands_are_run(results: Results) -> None:
    """CPU and waits last at least their demand, and queries theirs to the nearest millisecond."""
    for span in results.of("api", "read_item"):
        assert span["service_time_s"] >= 0.003
    for span in results.of("main", "item_by_id"):
        assert span["service_time_s"] >= 0.0035
    typical = sorted(span["service_time_s"] for span in results.of("api", "read_item"))[30]
    assert typical < 0.010


def test_calls_reach_the_other_service(results: Results) -> None:
    """A call hands on the request's id and its slice of the demands; branches run at the same time."""
    called = results.of("profiles", "profile")
    assert sorted(span["request"] for span in called) == list(range(100, 110))
    assert all(span["service_time_s"] >= 0.020 for span in called)
    answered = {row["request"]: row["end_s"] - row["start_s"] for row in results.requests}
    typical = sorted(answered[request] for request in range(100, 110))[5]
    assert 0.020 <= typical < 0.030 + 0.010, "two branches of 10 and 20 ms take as long as the longer one"


def test_inserts_are_queries(results: Results) -> None:
    """Writes run a statement of the database and nothing else."""
    assert sorted(span["request"] for span in results.of("main", "insert_item")) == list(range(150, 160))


def test_queries_tell_whose_pool_they_used(results: Results) -> None:
    """A database span carries the index of the replica that ran the request."""
    ran = {(span["request"], span["attempt"]): span["replica"] for span in results.of("api")}
    queries = results.of("main")
    assert all(span["replica"] == ran[span["request"], span["attempt"]] for span in queries)
    assert {span["replica"] for span in queries} == {0, 1}


def test_waits_in_the_load_balancers_queue_are_logged(results: Results) -> None:
    """Of 16 requests at once, 4 are served, 4 wait for a slot, and 8 wait in vain for the queue's timeout."""
    first = [span for span in results.of("edge", "slow") if span["request"] in BURST and span["attempt"] == 0]
    at_once = [span for span in first if span["outcome"] == "ok" and span["waiting_time_s"] < 0.05]
    waited = [span for span in first if span["outcome"] == "ok" and span["waiting_time_s"] >= 0.05]
    refused = [span for span in first if span["outcome"] == "rejected"]
    assert (len(at_once), len(waited), len(refused)) == (4, 4, 8)
    assert all(SLOW_S - 0.02 <= span["waiting_time_s"] <= QUEUE_TIMEOUT_S for span in waited)
    assert all(math.isnan(span["admitted_s"]) and span["replica"] == -1 for span in refused)
    assert all(span["departure_s"] - span["arrival_s"] >= QUEUE_TIMEOUT_S - 0.01 for span in refused)


def test_client_retries_what_failed(results: Results) -> None:
    """A refused or abandoned attempt is followed by another after its backoff, until the attempts are used up."""
    by_request: dict[int, list[dict]] = {}
    for row in results.attempts:
        by_request.setdefault(row["request"], []).append(row)
    refused = [rows for rows in by_request.values() if rows[0]["outcome"] == "rejected"]
    assert refused
    assert all(rows[0]["status"] == 503 for rows in refused)
    for rows in [*refused, by_request[300]]:
        assert len(rows) == ATTEMPTS
        assert BACKOFF_S <= rows[1]["start_s"] - rows[0]["end_s"] < BACKOFF_S + 0.05
    assert all(len(rows) == 1 for rows in by_request.values() if rows[0]["outcome"] == "ok")


def test_abandoned_work_goes_on(results: Results) -> None:
    """The client gives up after 0.5 s, twice; the replicas run the 0.6 s to their end, and the spans say so."""
    request = next(row for row in results.requests if row["request"] == 300)
    assert (request["outcome"], request["attempts"]) == ("timeout", ATTEMPTS)
    mine = [row for row in results.attempts if row["request"] == 300]
    assert all(
        row["status"] is None and row["end_s"] - row["start_s"] == pytest.approx(TIMEOUT_S, abs=0.05) for row in mine
    )
    left = [span for span in results.of("api", "slow") if span["request"] == 300]
    assert [span["outcome"] for span in left] == ["ok", "ok"]
    assert all(span["abandoned"] is True and span["service_time_s"] >= 0.6 for span in left)
    assert not any(span["abandoned"] for span in results.spans if span["request"] < 200)


def test_gauges_are_sampled(results: Results) -> None:
    """There are CPU ratios of every process and HAProxy's counts of every server."""
    gauges = {(row["component"], row["gauge"]) for row in results.samples}
    assert {(part, "cpu_ratio") for part in ("edge", "api", "profiles", "items", "main", "supervisor")} <= gauges
    assert {("edge", "scur"), ("edge", "qcur"), ("edge", "up")} <= gauges
    assert {row["replica"] for row in results.samples if row["gauge"] == "scur"} == {-1, 0, 1}


def test_manifest_says_what_ran_and_nothing_private(output: Path) -> None:
    """Binaries, versions and the machine's kind are recorded; its name and paths are not."""
    text = (output / "manifest.json").read_text()
    manifest = json.loads(text)
    assert {"edge", "api/0", "api/1", "items", "main"} <= set(manifest["servers"])
    assert all(server["version"] and server["source"] for server in manifest["servers"].values())
    assert manifest["cache_limits"]["items"]["entries_held"] == pytest.approx(500, rel=0.02)
    assert [repeat["left_in_flight"] for repeat in manifest["repeats"]] == [0, 0]
    assert os.uname().nodename not in text.replace('"localhost"', "")
    assert str(ROOT) not in text
    assert "/tmp" not in text
