"""What holds for every test with real servers."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def alone() -> None:
    """Refuse to measure beside other tests: a measurement pins cores and takes what else runs for load."""
    if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1:
        pytest.fail("tests with real servers run one after another: `make measured`, or pytest without -n")
