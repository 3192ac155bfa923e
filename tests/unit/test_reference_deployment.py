"""The deployment file: what is accepted, and what each mistake is told."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from reference_backend.database_servers import connections_to
from reference_backend.deployment import Deployment
from reference_backend.problems import BadInput
from reference_backend.reading import read_deployment, schema

SCHEMA_FILE = Path(__file__).resolve().parents[2] / "reference_backend" / "deployment.schema.json"


def example() -> dict[str, Any]:
    """Return a deployment that holds every kind of part and step."""
    return copy.deepcopy(
        {
            "schema_version": 1,
            "name": "example",
            "entry": "edge",
            "client": {"timeout_s": 1.0, "attempts": 3},
            "parts": {
                "edge": {
                    "kind": "load_balancer",
                    "algorithm": "leastconn",
                    "targets": "api",
                    "max_connections_per_server": 3,
                },
                "api": {
                    "kind": "service",
                    "replicas": 2,
                    "concurrency": 3,
                    "backlog": 64,
                    "endpoints": {
                        "read_item": {
                            "method": "GET",
                            "demands": 4,
                            "steps": [
                                {"kind": "cpu", "demand": 0},
                                {"kind": "wait", "demand": 1},
                                {
                                    "kind": "cached",
                                    "cache": "items",
                                    "miss": [{"kind": "query", "database": "main", "query": "item_by_id", "demand": 2}],
                                },
                                {
                                    "kind": "parallel",
                                    "branches": [
                                        [
                                            {
                                                "kind": "call",
                                                "target": "profiles",
                                                "endpoint": "get",
                                                "demands_from": 3,
                                                "demands": 1,
                                            }
                                        ]
                                    ],
                                },
                            ],
                        }
                    },
                },
                "profiles": {
                    "kind": "service",
                    "endpoints": {"get": {"demands": 1, "steps": [{"kind": "cpu", "demand": 0}]}},
                },
                "items": {"kind": "cache", "ttl_s": 60.0, "value_bytes": 256},
                "main": {
                    "kind": "database",
                    "pool": {"size": 10, "overflow": 2, "timeout_s": 2.0},
                    "queries": {"item_by_id": {"statement": "select"}},
                },
            },
        }
    )


def read(tmp_path: Path, document: object) -> Deployment:
    """Write a document to a file and read it as a deployment."""
    path = tmp_path / "deployment.json"
    path.write_text(json.dumps(document))
    return read_deployment(path)


def put(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """Return the document with the value at a dotted path changed (numbers index lists)."""
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    place: Any = document
    for key in parents:
        place = place[key]
    place[last] = value
    return document


def test_example_is_accepted(tmp_path: Path) -> None:
    """A correct deployment is read, with its defaults filled in."""
    deployment = read(tmp_path, example())
    assert list(deployment.services()) == ["api", "profiles"]
    assert deployment.service_behind("edge") is deployment.services()["api"]
    assert deployment.services()["profiles"].replicas == 1
    assert deployment.load_balancers()["edge"].queue_timeout_s == 1.0


def test_any_name_is_free_for_an_endpoint(tmp_path: Path) -> None:
    """The backend's own paths cannot be written as an endpoint's name, so that none is reserved."""
    document = example()
    endpoints = document["parts"]["profiles"]["endpoints"]
    endpoints["health"] = endpoints["control"] = endpoints["get"]
    assert set(read(tmp_path, document).services()["profiles"].endpoints) == {"get", "health", "control"}


def test_no_server_timeout_can_be_asked_for(tmp_path: Path) -> None:
    """Null stands for no limit; without the key it is 30 s."""
    assert read(tmp_path, example()).load_balancers()["edge"].server_timeout_s == 30.0
    document = put(example(), "parts.edge.server_timeout_s", None)
    assert read(tmp_path, document).load_balancers()["edge"].server_timeout_s is None


def test_connections_to_a_database_are_those_of_all_pools(tmp_path: Path) -> None:
    """Two replicas with pools of 10 + 2 need 24 connections; a service without queries needs none."""
    assert connections_to(read(tmp_path, example()), "main") == 24


STEPS = "parts.api.endpoints.read_item.steps"


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("schema_version", 2, "schema_version"),
        ("entry", "nowhere", "entry: 'nowhere' is neither"),
        ("entry", "api", "2 replicas"),
        ("entry", "items", "neither a load balancer nor a service"),
        ("colour", "red", "colour"),
        ("parts.edge.algorithm", "magic", "algorithm"),
        ("parts.edge.targets", "items", "not a service"),
        ("parts.edge.max_connections_per_server", 0, "max_connections_per_server"),
        ("parts.edge.queue_timeout_s", -1.0, "queue_timeout_s"),
        ("parts.api.replicas", 0, "replicas"),
        ("parts.api.replicas", "many", "replicas"),
        ("parts.api.endpoints", {}, "endpoints"),
        ("parts.api.endpoints.read_item.steps", [], "steps"),
        (f"{STEPS}.0.kind", "magic", "steps"),
        (f"{STEPS}.0.demand", 4, "steps[0]: demand 4 is outside the endpoint's 4 demands"),
        (f"{STEPS}.0.demand", -1, "demand"),
        (f"{STEPS}.2.cache", "main", "steps[2]: cache 'main' is not a cache"),
        (f"{STEPS}.2.miss.0.database", "items", "miss[0]: database 'items' is not a database"),
        (f"{STEPS}.2.miss.0.query", "other", "query 'other' is not a query of database 'main'"),
        (f"{STEPS}.3.branches.0.0.target", "api", "2 replicas"),
        (f"{STEPS}.3.branches.0.0.endpoint", "post", "endpoint 'post' is not an endpoint behind 'profiles'"),
        (f"{STEPS}.3.branches.0.0.demands", 0, "hands on 0 demands, but 'get' takes 1"),
        (f"{STEPS}.3.branches.0.0.demands_from", 4, "demand 4 is outside"),
        (
            f"{STEPS}.3.branches.0.0",
            {"kind": "call", "target": "edge", "endpoint": "read_item", "demands": 4},
            "calls itself without end",
        ),
        ("parts.items.value_bytes", 0, "value_bytes"),
        ("parts.main.pool.size", 0, "size"),
        ("parts.main.queries.item_by_id.statement", "drop table", "statement"),
        ("parts.generator", {"kind": "cache"}, "reserved"),
        ("parts.Bad Name", {"kind": "cache"}, "Bad Name"),
        ("client.attempts", 0, "attempts"),
    ],
)
def test_mistake_is_named(tmp_path: Path, path: str, value: object, told: str) -> None:
    """Each mistake gives an error with exit code 2 that names the key and what is wrong with it."""
    with pytest.raises(BadInput) as caught:
        read(tmp_path, put(example(), path, value))
    assert told in caught.value.what
    assert caught.value.exit_code == 2


def test_not_a_number_is_refused(tmp_path: Path) -> None:
    """JSON's unofficial NaN is no timeout."""
    path = tmp_path / "deployment.json"
    path.write_text(json.dumps(put(example(), "client.timeout_s", float("nan"))))
    with pytest.raises(BadInput, match=r"timeout_s|JSON"):
        read_deployment(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"null"])
def test_what_is_no_deployment_is_refused(tmp_path: Path, content: bytes) -> None:
    """Broken JSON, other JSON and no text at all are told as bad input."""
    path = tmp_path / "deployment.json"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"deployment\.json"):
        read_deployment(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(BadInput, match=r"nowhere\.json"):
        read_deployment(tmp_path / "nowhere.json")


def test_committed_schema_is_the_models(tmp_path: Path) -> None:
    """The committed JSON Schema is what the models say now."""
    assert json.loads(SCHEMA_FILE.read_text()) == schema(), (
        "run: python -m reference_backend schema > reference_backend/deployment.schema.json"
    )
