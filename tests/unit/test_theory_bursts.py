"""Bursts: dispersion of counts and the queue that they make, by limits, identities and a chain solved directly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lab.errors import DomainError, Unstable
from lab.theory import mm1
from lab.theory.bursts import hawkes_dispersion, modulated_dispersion
from lab.theory.modulated_mm1 import number_in_system_mean


def test_a_short_count_is_a_coin_and_a_long_one_sees_all() -> None:
    """At first arrivals look like a Poisson process; the long-run values are those of the closed forms."""
    switching = {"rates_per_s": (100.0, 20.0), "stays_s_mean": (2.0, 3.0)}
    assert modulated_dispersion(**switching, counted_s=1e-9) == pytest.approx(1.0, abs=1e-5)
    # 2 r1 r2 (l1 - l2)^2 / ((r1 + r2)^2 (l1 r2 + l2 r1)) with r1 = 1/2, r2 = 1/3
    expected = 2 * (1 / 6) * 80**2 / ((5 / 6) ** 2 * (100 / 3 + 20 / 2))
    assert modulated_dispersion(**switching, counted_s=math.inf) == pytest.approx(1 + expected)
    assert modulated_dispersion(rates_per_s=(7.0, 7.0), stays_s_mean=(2.0, 3.0), counted_s=50.0) == 1.0
    assert hawkes_dispersion(brought=0.8, delay_s_mean=1.0, counted_s=math.inf) == pytest.approx(25.0)
    assert hawkes_dispersion(brought=0.8, delay_s_mean=1.0, counted_s=1e-9) == pytest.approx(1.0, abs=1e-5)
    assert hawkes_dispersion(brought=0.0, delay_s_mean=1.0, counted_s=9.0) == 1.0


def test_dispersion_grows_with_the_time_counted() -> None:
    """Both kinds are positively correlated, so longer counts vary more for their mean."""
    spans_s = np.geomspace(0.01, 1000, 30)
    for of_span in (
        [modulated_dispersion(rates_per_s=(9.0, 1.0), stays_s_mean=(1.0, 4.0), counted_s=span) for span in spans_s],
        [hawkes_dispersion(brought=0.6, delay_s_mean=2.0, counted_s=span) for span in spans_s],
    ):
        assert (np.diff(of_span) > 0).all()


def _by_hand(rates: list[float], stays_s: list[float], service_time_s: float, most: int) -> float:
    """The mean number in the system of the chain cut off at ``most``, by solving its balance equations."""
    phases = len(rates)
    size = phases * (most + 1)
    generator = np.zeros((size, size))
    for level in range(most + 1):
        for phase in range(phases):
            here = level * phases + phase
            generator[here, level * phases + (phase + 1) % phases] += 1 / stays_s[phase]
            if level < most:
                generator[here, here + phases] += rates[phase]
            if level:
                generator[here, here - phases] += 1 / service_time_s
    np.fill_diagonal(generator, generator.diagonal() - generator.sum(axis=1))
    equations = generator.T.copy()
    equations[-1] = 1.0
    probabilities = np.linalg.solve(equations, np.append(np.zeros(size - 1), 1.0))
    return float(probabilities @ np.repeat(np.arange(most + 1), phases))


@pytest.mark.parametrize(
    ("rates", "stays_s"),
    [([9.0, 3.0], [0.5, 1.0]), ([12.0, 0.0], [0.3, 0.9]), ([4.0, 15.0, 1.0], [1.0, 0.2, 2.0])],
)
def test_the_queue_agrees_with_the_chain_itself(rates: list[float], stays_s: list[float]) -> None:
    """Phases above what the server can do, silence, and three phases."""
    found = number_in_system_mean(rates_per_s=rates, stays_s_mean=stays_s, service_time_s=0.1)
    assert found == pytest.approx(_by_hand(rates, stays_s, 0.1, most=250), rel=1e-8)


def test_quick_phases_are_no_bursts_and_slow_ones_are_queues_of_their_own() -> None:
    """Very short phases average out to M/M/1; very long ones are each an M/M/1 for itself."""
    mixed = mm1.number_in_system_mean(arrival_rate_per_s=5.0, service_time_s=0.1)
    quick = number_in_system_mean(rates_per_s=[8.0, 2.0], stays_s_mean=[1e-6, 1e-6], service_time_s=0.1)
    assert quick == pytest.approx(mixed, rel=1e-4)
    each = [mm1.number_in_system_mean(arrival_rate_per_s=rate, service_time_s=0.1) for rate in (8.0, 2.0)]
    slow = number_in_system_mean(rates_per_s=[8.0, 2.0], stays_s_mean=[1e6, 1e6], service_time_s=0.1)
    assert slow == pytest.approx(sum(each) / 2, rel=1e-4)


def test_what_makes_no_sense_is_refused() -> None:
    """With the argument's name, or the utilisation."""
    with pytest.raises(DomainError, match="rates_per_s are both 0"):
        modulated_dispersion(rates_per_s=(0.0, 0.0), stays_s_mean=(1.0, 1.0), counted_s=1.0)
    with pytest.raises(DomainError, match="brought is 1"):
        hawkes_dispersion(brought=1.0, delay_s_mean=1.0, counted_s=1.0)
    with pytest.raises(DomainError, match="there are 2 rates_per_s and 1 stays_s_mean"):
        number_in_system_mean(rates_per_s=[1.0, 2.0], stays_s_mean=[1.0], service_time_s=0.1)
    with pytest.raises(Unstable):
        number_in_system_mean(rates_per_s=[30.0, 2.0], stays_s_mean=[1.0, 1.0], service_time_s=0.1)
