"""Which replica HAProxy sends a key to: the simulator knows, so that its shares are those of the real balancer."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pyarrow.parquet as pq
import pytest

from lab.simulation.fleet import Member
from lab.simulation.load_balancer.hashed import HashMap, HashRing
from lab.simulation.load_balancer.server import Server
from lab.simulation.request import Request
from reference_backend.load.schedule import Planned, Schedule

from .support import run_once

pytestmark = pytest.mark.measured
KEYS = [*range(60), 4711, 65_536, 123_456_789]


@pytest.mark.parametrize("hash_type", ["map_based", "consistent"])
def test_a_key_goes_where_the_simulator_says(hash_type: Literal["map_based", "consistent"], tmp_path: Path) -> None:
    """Every single key, with weights that differ."""
    weights = (2, 1, 3)
    deployment = {
        "schema_version": 1,
        "name": "hashing",
        "entry": "edge",
        "parts": {
            "edge": {
                "kind": "load_balancer",
                "algorithm": "hash",
                "hash_type": hash_type,
                "weights": weights,
                "targets": "api",
            },
            "api": {
                "kind": "service",
                "replicas": 3,
                "endpoints": {"read": {"demands": 1, "steps": [{"kind": "wait", "demand": 0}]}},
            },
        },
    }
    planned = [
        Planned(request=n, endpoint="read", key=key, intended_start_s=0.1 + n * 0.02, demands_s=(0.0,), backoffs_s=())
        for n, key in enumerate(KEYS)
    ]
    repeat = run_once(tmp_path, deployment, Schedule(requests=tuple(planned), duration_s=2.0))
    spans = [span for span in pq.read_table(repeat / "spans.parquet").to_pylist() if span["component"] == "api"]
    went = {KEYS[span["request"]]: span["replica"] for span in spans}

    algorithm = HashMap() if hash_type == "map_based" else HashRing()
    for slot, weight in enumerate(weights):
        algorithm.changed(Server(Member.__new__(Member), slot=slot, weight=weight))
    chosen = {key: algorithm.choose(Request(0, 0, "read", key, 0)) for key in KEYS}
    assert went == {key: server.slot for key, server in chosen.items() if server is not None}
