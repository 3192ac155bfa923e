"""Addressed draws: pure, uniform, independent of each other, the same in both forms."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lab.randomness import Stream, child_visit, name_key, splitmix64

_WORD = st.integers(0, 2**64 - 1)


def test_splitmix64_is_the_published_one() -> None:
    """The first five outputs of the reference generator seeded with 1234567 (Rosetta Code, from Vigna's C)."""
    golden, state, outputs = 0x9E3779B97F4A7C15, 1234567, []
    for _ in range(5):
        outputs.append(splitmix64(state))
        state = (state + golden) & (2**64 - 1)
    assert outputs == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@given(seed=_WORD, replication=st.integers(0, 2**32), name=st.text(max_size=20), visit=_WORD)
@pytest.mark.slow
def test_array_and_scalar_draws_are_the_same_bits(seed: int, replication: int, name: str, visit: int) -> None:
    """One rule, two forms."""
    stream = Stream(seed=seed, replication=replication, name=name)
    assert stream.uniforms(50, visit).tolist() == [stream.uniform(request, 0, visit) for request in range(50)]


@given(seed=_WORD, request=st.integers(0, 2**62), attempt=st.integers(0, 100), visit=_WORD)
def test_draws_lie_strictly_between_0_and_1(seed: int, request: int, attempt: int, visit: int) -> None:
    """So that logarithms and quantiles are finite."""
    uniform = Stream(seed=seed, replication=0, name="main/item_by_id").uniform(request, attempt, visit)
    assert 0 < uniform < 1


@pytest.mark.parametrize("seed", [1, 2, 20261121])
@pytest.mark.parametrize("name", ["main/item_by_id", "workload/arrivals"])
def test_draws_are_uniform(seed: int, name: str) -> None:
    """Chi-square over 1000 cells; the seeds are fixed, so this passes always or never."""
    uniforms = Stream(seed=seed, replication=0, name=name).uniforms(200_000)
    counts, _ = np.histogram(uniforms, bins=1000, range=(0, 1))
    assert 1e-3 < stats.chisquare(counts).pvalue < 1 - 1e-3


@pytest.mark.parametrize("what", ["request", "attempt", "visit", "replication", "seed", "name"])
def test_neighbouring_addresses_are_independent(what: str) -> None:
    """Pairs of draws that differ in one part of the address fill the square evenly."""
    stream = Stream(seed=7, replication=3, name="api/get/cpu")
    first = stream.uniforms(100_001)
    match what:
        case "request":
            second = np.roll(first, 1)
        case "attempt":
            second = np.array([stream.uniform(request, 1) for request in range(100_001)])
        case "visit":
            second = stream.uniforms(100_001, 1)
        case "replication":
            second = Stream(seed=7, replication=4, name="api/get/cpu").uniforms(100_001)
        case "seed":
            second = Stream(seed=8, replication=3, name="api/get/cpu").uniforms(100_001)
        case _:
            second = Stream(seed=7, replication=3, name="api/get/wait").uniforms(100_001)
    counts, *_ = np.histogram2d(first[1:], second[1:], bins=20, range=((0, 1), (0, 1)))
    assert stats.chisquare(counts.ravel()).pvalue > 1e-3


def test_draws_do_not_hang_on_what_was_drawn_before() -> None:
    """Nothing is consumed: any order, any number of times."""
    stream = Stream(seed=1, replication=0, name="a")
    wanted = stream.uniform(17, 2, 5)
    for request in range(100):
        stream.uniform(request)
    assert stream.uniform(17, 2, 5) == wanted


def test_another_stream_changes_no_other() -> None:
    """Adding a component is adding a name."""
    alone = Stream(seed=1, replication=0, name="main/q").uniforms(100)
    others = [Stream(seed=1, replication=0, name=f"new/{i}").uniforms(100) for i in range(10)]
    assert (Stream(seed=1, replication=0, name="main/q").uniforms(100) == alone).all()
    assert not any((other == alone).any() for other in others)


def test_draws_are_the_same_in_another_process() -> None:
    """No hash of Python's own is involved, which differs from process to process."""
    code = "from lab.randomness import *; print(Stream(seed=5, replication=2, name='x').uniform(3, 1, name_key('y')))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(ended.stdout) == Stream(seed=5, replication=2, name="x").uniform(3, 1, name_key("y"))


def test_the_first_use_keeps_the_visit_of_its_parent() -> None:
    """Ordinal 0 is the parent's own visit; others are all different."""
    visits = {child_visit(visit, ordinal) for visit in range(100) for ordinal in range(1, 100)}
    assert child_visit(42, 0) == 42
    assert len(visits) == 100 * 99
    assert not visits & set(range(100))
