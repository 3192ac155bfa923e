"""Distributions: the quantile function has the mean and the scv that the spec says."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from lab.distributions import (
    Constant,
    Distribution,
    Empirical,
    Exponential,
    Hyperexponential,
    Lognormal,
    Uniform,
    discrete_quantiles,
    mean_s,
    quantile_function,
    scv,
)

_READ: TypeAdapter[Distribution] = TypeAdapter(Distribution)
_SPECS = {
    "constant": "2ms",
    "exponential": {"kind": "exponential", "mean": "4ms"},
    "lognormal": {"kind": "lognormal", "mean": "20ms", "scv": 0.25},
    "lognormal, wide": {"kind": "lognormal", "mean": "1s", "scv": 4},
    "uniform": {"kind": "uniform", "low": "1ms", "high": "3ms"},
    "hyperexponential": {"kind": "hyperexponential", "mean": "10ms", "scv": 5},
    "empirical": {"kind": "empirical", "values": ["1ms", "2ms", "6ms"]},
}


def _moments(distribution: Distribution) -> tuple[float, float]:
    """Return mean and scv by Gauss-Legendre quadrature of the quantile function, finer towards both ends."""
    quantile = quantile_function(distribution)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    thirds = (1 / 3, 2 / 3)  # where the empirical one jumps
    edges = sorted({*thirds, *(10.0**-k for k in range(1, 15)), *(1 - 10.0**-k for k in range(1, 15))})
    if isinstance(distribution, Hyperexponential):
        first = (1 + math.sqrt((distribution.scv - 1) / (distribution.scv + 1))) / 2
        edges = sorted({*edges, first, *(first * (1 - 10.0**-k) for k in range(2, 15))})
    total = squares = 0.0
    for low, high in itertools.pairwise(edges):
        for node, weight in zip(nodes, weights, strict=True):
            value = quantile((low + high) / 2 + node * (high - low) / 2)
            total += weight * (high - low) / 2 * value
            squares += weight * (high - low) / 2 * value**2
    return total, squares / total**2 - 1


def test_quantiles_are_finite_at_the_ends_of_the_draws() -> None:
    """The least and the greatest number that a stream can draw."""
    for spec in _SPECS.values():
        quantile = quantile_function(_READ.validate_python(spec))
        assert 0 <= quantile(2.0**-53) <= quantile(1 - 2.0**-53) < math.inf
    for count in range(1, 200):
        assert quantile_function(Empirical(values=("1s",) * count))(1 - 2.0**-53) == 1.0


@pytest.mark.parametrize("spec", _SPECS.values(), ids=_SPECS.keys())
def test_quantiles_have_the_stated_mean_and_scv(spec: object) -> None:
    """The inverse transform is right, not merely plausible."""
    distribution = _READ.validate_python(spec)
    mean, variability = _moments(distribution)
    assert mean == pytest.approx(mean_s(distribution), rel=1e-6)
    assert variability == pytest.approx(scv(distribution), rel=2e-4, abs=1e-9)


@pytest.mark.parametrize(
    ("spec", "mean", "variability"),
    [
        ("2ms", 0.002, 0.0),
        ({"kind": "exponential", "mean": "4ms"}, 0.004, 1.0),
        ({"kind": "uniform", "low": "0s", "high": "2s"}, 1.0, 1 / 3),
        ({"kind": "empirical", "values": ["1s", "3s"]}, 2.0, 0.25),
        ({"kind": "hyperexponential", "mean": "1s", "scv": 9}, 1.0, 9.0),
    ],
)
def test_mean_and_scv_are_those_of_the_textbook(spec: object, mean: float, variability: float) -> None:
    """Closed forms."""
    distribution = _READ.validate_python(spec)
    assert mean_s(distribution) == pytest.approx(mean)
    assert scv(distribution) == pytest.approx(variability)


# The hyperexponential chooses its branch by the same number, so it rises within each branch only.
@pytest.mark.parametrize("spec", [spec for name, spec in _SPECS.items() if name != "hyperexponential"], ids=str)
@given(uniforms=st.lists(st.floats(2.0**-53, 1 - 2.0**-53), min_size=2, max_size=2))
def test_quantiles_never_fall(spec: object, uniforms: list[float]) -> None:
    """More luck never means less time, and no time is negative."""
    quantile = quantile_function(_READ.validate_python(spec))
    low, high = sorted(uniforms)
    assert 0 <= quantile(low) <= quantile(high) * (1 + 1e-12)


def test_the_median_of_a_lognormal() -> None:
    """Its logarithm is normal, so the median is mean / sqrt(1 + scv)."""
    assert quantile_function(Lognormal(mean="3s", scv=8))(0.5) == pytest.approx(1.0)


def test_an_empirical_one_gives_each_value_its_share() -> None:
    """In order, whatever order they were given in."""
    quantile = quantile_function(Empirical(values=("3s", "1s", "2s", "1s")))
    assert [quantile(u) for u in (0.1, 0.3, 0.6, 0.9)] == [1.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "spec",
    [
        {"kind": "exponential", "mean": "0s"},
        {"kind": "lognormal", "mean": "1s"},
        {"kind": "lognormal", "mean": "1s", "scv": 0},
        {"kind": "lognormal", "mean": "1s", "scv": float("nan")},
        {"kind": "lognormal", "mean": "1s", "scv": 10**400},
        {"kind": "lognormal", "mean": "1s", "scv": True},
        {"kind": "hyperexponential", "mean": "1s", "scv": 1},
        {"kind": "uniform", "low": "2s", "high": "1s"},
        {"kind": "empirical", "values": []},
        {"kind": "constant", "mean": "-1s"},
        {"kind": "exponential", "mean": "1s", "rate": "1/s"},
        5,
    ],
    ids=str,
)
def test_impossible_ones_are_refused(spec: object) -> None:
    """Nothing is simulated from nonsense."""
    with pytest.raises(ValidationError):
        _READ.validate_python(spec)


def test_a_text_is_a_constant() -> None:
    """The short form."""
    assert _READ.validate_python("2ms") == Constant(mean="2ms")


@pytest.mark.parametrize("spec", _SPECS.values(), ids=_SPECS.keys())
def test_specs_serialise_to_what_they_were_read_from(spec: object) -> None:
    """JSON and back."""
    distribution = _READ.validate_python(spec)
    assert _READ.validate_json(_READ.dump_json(distribution)) == distribution


def test_discrete_quantiles_follow_the_weights() -> None:
    """Over an even grid each index comes up in proportion to its weight; the ends are safe."""
    choose = discrete_quantiles([0.2, 0.5, 0.3])
    counts = np.bincount([choose((i + 0.5) / 1000) for i in range(1000)])
    assert counts.tolist() == [200, 500, 300]
    assert (choose(2.0**-53), choose(1 - 2.0**-53)) == (0, 2)


def test_exponential_quantiles() -> None:
    """-mean ln(1 - u)."""
    assert quantile_function(Exponential(mean="2s"))(1 - np.exp(-3)) == pytest.approx(6.0)


def test_uniform_quantiles() -> None:
    """A straight line."""
    assert quantile_function(Uniform(low="1s", high="3s"))(0.25) == pytest.approx(1.5)
