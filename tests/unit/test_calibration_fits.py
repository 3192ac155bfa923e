"""Fitting distributions to times, some of which were cut off."""

from __future__ import annotations

import numpy as np
import pytest

import lab
from lab.calibration.censoring import kaplan_meier, mean_s
from lab.calibration.fit import fit
from lab.calibration.repeats import mean_of_repeats
from lab.calibration.sample import Sample
from lab.scenario.calibration import CalibratedRange, CalibratedValue, Calibration


def test_censored_times_are_counted_and_not_dropped() -> None:
    """Of exponential times cut off at their mean, dropping the cut ones gives half; the fit gives the mean."""
    times = np.random.default_rng(5).exponential(0.1, 2000)
    cut = times > 0.1
    sample = Sample(values_s=times[~cut], above_s=np.full(int(cut.sum()), 0.1), how="test")
    found = fit("x", sample)
    assert found.value.kind == "exponential"  # type: ignore[union-attr]
    assert found.low <= 0.1 <= found.high
    assert found.censored == cut.sum()
    assert fit("x", Sample(values_s=times[~cut], how="dropped")).high < 0.06


def test_the_estimate_of_kaplan_and_meier_is_that_of_their_paper() -> None:
    """Their example of 1958: deaths at 0.8, 3.1, 5.4, 9.2, losses at 1.0, 2.7, 7.0, 12.1."""
    ended, lost = np.array([0.8, 3.1, 5.4, 9.2]), np.array([1.0, 2.7, 7.0, 12.1])
    _, longer = kaplan_meier(ended, lost)
    assert longer == pytest.approx([7 / 8, 7 / 8 * 4 / 5, 7 / 8 * 3 / 5, 7 / 8 * 3 / 10])
    assert mean_s(ended, np.empty(0)) == pytest.approx(ended.mean())


def test_what_no_family_fits_becomes_empirical_with_the_same_mean() -> None:
    """Two humps pass no KS test; the 200 values keep mean and humps."""
    generator = np.random.default_rng(6)
    times = np.concatenate([generator.normal(0.01, 0.001, 700), generator.normal(0.05, 0.002, 300)])
    found = fit("x", Sample(values_s=times, how="test"))
    assert isinstance(found.value, lab.distributions.Empirical)
    assert len(found.value.values) == 200
    assert found.mean == pytest.approx(times.mean(), rel=1e-3)
    assert found.low < times.mean() < found.high


def test_repeats_are_averaged_and_what_lies_between_them_is_in_the_interval() -> None:
    """Three repeats of 9, 10 and 11 ms, each sure to 0.1 ms: 10 ms, give or take Student's t of 4.303 / sqrt(3) ms."""
    each = [
        Calibration(
            parameters={
                "components.api.overhead": CalibratedValue(
                    value=lab.distributions.Constant(mean=f"{mean_ms}ms"),  # type: ignore[arg-type]  # text in
                    mean=mean_ms / 1000,
                    low=mean_ms / 1000 - 1e-4,
                    high=mean_ms / 1000 + 1e-4,
                    observations=100,
                    method="test",
                )
            },
            source="server",
            world="measured",
            scenario="x",
            scenario_sha256="0",
            range=CalibratedRange(arrival_rate_per_s=1.0, endpoints=("get",), utilisation={}),
            date="2026-11-22",
        )
        for mean_ms in (9, 10, 11)
    ]
    found = mean_of_repeats(each)
    value = found.parameters["components.api.overhead"]
    assert value.mean == pytest.approx(0.010)
    assert (value.high - value.mean) == pytest.approx(0.004303 / 3**0.5, rel=1e-3)
    assert value.observations == 300
    assert found.sha256 not in {"", each[0].sha256}
