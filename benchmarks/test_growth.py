"""What a request costs as runs grow longer and fleets larger. `make benchmark`; no figure here decides a test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REQUESTS = (10_000, 100_000, 1_000_000)
REPLICAS = (4, 16, 64, 250, 1000)
Row = tuple[str, ...]


@pytest.fixture(scope="module")
def table() -> Iterator[list[Row]]:
    """Rows that are printed when all benchmarks of this file are done."""
    rows: list[Row] = [("benchmark", "CPU time per request", "memory per request at the peak")]
    yield rows
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print()
    for first, *others in rows:
        print(
            first.ljust(widths[0]),
            *(each.rjust(width) for each, width in zip(others, widths[1:], strict=True)),
            sep="  ",
        )


def _run(table: list[Row], name: str, **shape: object) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.once", json.dumps(shape)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    cost = json.loads(done.stdout)
    assert cost["requests"] == pytest.approx(shape["requests"], rel=0.1)
    table.append((name, f"{1e6 * cost['each_s']:.1f} us", f"{cost['each_bytes']:,.0f} B"))


@pytest.mark.parametrize("keep", ["all", "summary"])
@pytest.mark.parametrize("requests", REQUESTS)
def test_longer_runs(requests: int, keep: str, table: list[Row]) -> None:
    """Two replicas; neither time nor memory per request should grow."""
    rounds = max(1, 100_000 // requests)
    _run(table, f"{requests:>9,} requests, keep={keep}", requests=requests, keep=keep, rounds=rounds)


@pytest.mark.parametrize("algorithm", ["roundrobin", "leastconn", "random"])
@pytest.mark.parametrize("replicas", REPLICAS)
def test_larger_fleets(replicas: int, algorithm: str, table: list[Row]) -> None:
    """The same traffic on more replicas; time per request should grow as the logarithm of their number at most."""
    shape = {"replicas": replicas, "algorithm": algorithm, "rate_per_s": 800}
    _run(table, f"{algorithm}, {replicas:>5,} replicas", requests=30_000, rounds=3, **shape)
