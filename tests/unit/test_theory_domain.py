"""Every formula says what is wrong with an argument outside its domain, instead of computing on."""

from __future__ import annotations

import math

import pytest

from lab.errors import DomainError
from lab.theory import domain, mm1, mmc, mmck
from lab.theory.falling import reaches


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_positive_refuses(wrong):
    """Zero, negative, NaN and infinite."""
    with pytest.raises(DomainError, match=r"^x_s is .* s, but"):
        domain.positive(wrong, name="x_s", unit="s")


@pytest.mark.parametrize("wrong", [-1e-9, math.nan, math.inf])
def test_non_negative_refuses(wrong):
    """Negative, NaN and infinite; zero passes."""
    assert domain.non_negative(0.0, name="x") == 0.0
    with pytest.raises(DomainError, match="x is"):
        domain.non_negative(wrong, name="x")


@pytest.mark.parametrize("wrong", [2.0, 2.5, "2", 0, -1])
def test_whole_refuses(wrong):
    """Floats (also 2.0: half a server hides in them), texts, and numbers below the least."""
    assert domain.whole(2, name="servers", at_least=1) == 2
    with pytest.raises(DomainError, match="servers is"):
        domain.whole(wrong, name="servers", at_least=1)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, math.nan])
def test_probability_refuses(wrong):
    """Outside [0, 1]; the ends pass, but not where they must lie strictly between."""
    assert (domain.probability(0.0, name="p"), domain.probability(1.0, name="p")) == (0.0, 1.0)
    with pytest.raises(DomainError, match="p is"):
        domain.probability(wrong, name="p")
    for end in (0.0, 1.0):
        with pytest.raises(DomainError, match="p is"):
            domain.open_probability(end, name="p")


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: mm1.waiting_time_s_mean(arrival_rate_per_s=-1.0, service_time_s=1.0), "arrival_rate_per_s"),
        (lambda: mm1.waiting_time_s_mean(arrival_rate_per_s=0.5, service_time_s=math.nan), "service_time_s"),
        (
            lambda: mm1.sojourn_time_s_quantile(quantile=99, arrival_rate_per_s=0.5, service_time_s=1.0),
            "quantile",
        ),
        (lambda: mmc.waiting_time_s_mean(arrival_rate_per_s=0.5, service_time_s=1.0, servers=0), "servers"),
        (
            lambda: mmck.blocking_probability(arrival_rate_per_s=0.5, service_time_s=1.0, servers=4, capacity=3),
            "capacity",
        ),
    ],
)
def test_models_name_the_wrong_argument(call, named):
    """The message starts with the argument's name."""
    with pytest.raises(DomainError, match=f"^{named}"):
        call()


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_reaches_finds_the_level_whatever_the_guess(scale):
    """The half-life of an exponential, from guesses far off on either side."""
    found = reaches(lambda x: math.exp(-x), level=0.5, scale=scale)
    assert found == pytest.approx(math.log(2.0), rel=1e-14)


def test_reaches_finds_a_step_and_a_level_met_at_once():
    """A step is found at its place; a function that starts low enough gives 0."""
    assert reaches(lambda x: 1.0 if x < 3.0 else 0.0, level=0.5, scale=1.0) == 3.0
    assert reaches(lambda x: 0.1, level=0.5, scale=1.0) == 0.0


def test_reaches_refuses_a_level_that_is_never_met():
    """A function that stays above ends in an error, not in an endless loop."""
    with pytest.raises(DomainError, match="never falls to"):
        reaches(lambda x: 1.0, level=0.5, scale=1.0)
