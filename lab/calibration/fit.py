"""A sample of times to a distribution with an interval: by AIC among those that pass a KS check, else empirical."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from scipy import stats

from lab.calibration.censoring import Array, distance, equal_parts, mean_s
from lab.calibration.families import FAMILIES, Candidate, candidates
from lab.calibration.sample import Sample
from lab.distributions import Constant, Distribution, Empirical
from lab.distributions import mean_s as mean_of
from lab.scenario.calibration import CalibratedValue
from lab.units import format_duration

_MOST_VALUES = 200
_LEAST_P = 0.05
_SAME = 1e-3  # times that differ by less than this share of their mean are one constant
_FINEST_S = 1e-6
_RESAMPLES, _REFITS = 1000, 100


def fit(path: str, sample: Sample) -> CalibratedValue:
    """Return the distribution of a sample, and the 95 % interval of its mean by bootstrap.

    Among the families that a Kolmogorov-Smirnov test does not reject at 5 % and whose mean lies in the interval of the
    sample's mean, the one of lowest AIC; where none is left, up to 200 observed times (means of equal parts of the
    sample, so that the mean is kept).

    Args:
        path: key path of the parameter; with the observations it decides the resamples, so the same in gives the same
            out.
        sample: what was observed.
    """
    values_s, above_s = sample.values_s, sample.above_s
    low, high = _interval(path, sample, mean_s)
    chosen, said = _chosen(sample, low, high)
    mean = mean_of(chosen)
    if len(above_s):  # the tail is the family's guess: let its own refits say how sure that is
        low, high = _interval(path, sample, lambda v, a: _refitted(chosen, v, a))
    shift = 0.0 if low <= mean <= high else mean - mean_s(values_s, above_s)
    return CalibratedValue(
        value=chosen,
        mean=mean,
        low=max(0.0, low + shift),
        high=high + shift,
        observations=len(sample),
        censored=len(above_s),
        method=f"{sample.how}; {said}",
    )


def fit_mean(path: str, sample: Sample) -> CalibratedValue:
    """Return the constant of a sample's mean: where observations are sums over many, nothing is known of their spread.

    Args:
        path: key path of the parameter.
        sample: whose values may be negative, where they are differences.
    """
    mean = max(0.0, float(sample.values_s.mean()))
    low, high = _interval(path, sample, mean_s)
    return CalibratedValue(
        value=constant(mean),
        mean=mean,
        low=max(0.0, low),
        high=max(0.0, high),
        observations=len(sample),
        method=f"{sample.how}; its mean",
    )


def constant(seconds: float) -> Constant:
    """Return a constant time, to the nanosecond."""
    return Constant(mean=format_duration(round(max(0.0, seconds), 9)))  # type: ignore[arg-type]  # text in


def empirical(values_s: Array, above_s: Array) -> Empirical:
    """Return at most 200 times to the microsecond, each as likely as the other."""
    count = min(_MOST_VALUES, len(values_s) + len(above_s))
    parts = equal_parts(values_s, above_s, count)
    texts = tuple(format_duration(round(float(each), 6)) for each in parts)
    return Empirical(values=texts)  # type: ignore[arg-type]  # text in, seconds inside


def _chosen(sample: Sample, low: float, high: float) -> tuple[Distribution, str]:
    values_s, above_s = sample.values_s, sample.above_s
    centre = float(values_s.mean())
    if not len(above_s) and float(values_s.std()) <= max(_SAME * centre, _FINEST_S / 10):
        return constant(centre), "all alike"
    fitted = sorted(candidates(values_s, above_s), key=lambda each: each.aic)
    for each in fitted:
        p = _p_value(each, values_s, above_s)
        if p >= _LEAST_P and (len(above_s) or low <= mean_of(each.distribution) <= high):
            return each.distribution, f"{each.distribution.kind} by AIC (KS p = {p:.2f})"
    return empirical(values_s, above_s), "empirical, for no family passes the KS test"


def _p_value(candidate: Candidate, values_s: Array, above_s: Array) -> float:
    if not len(above_s):
        return float(stats.kstest(values_s, candidate.cdf).pvalue)
    d = distance(values_s, above_s, np.asarray(candidate.cdf(np.unique(values_s))))
    return float(stats.kstwobign.sf(d * np.sqrt(len(values_s))))


def _refitted(chosen: Distribution, values_s: Array, above_s: Array) -> float:
    again = FAMILIES[chosen.kind](values_s, above_s) if chosen.kind in FAMILIES else None
    return mean_s(values_s, above_s) if again is None else mean_of(again.distribution)


def _interval(path: str, sample: Sample, statistic: Callable[[Array, Array], float]) -> tuple[float, float]:
    """Return the 95 % percentile interval of a statistic over resamples; complete and cut-off ones drawn together."""
    values_s, above_s = sample.values_s, sample.above_s
    whole = np.concatenate([values_s, above_s])
    generator = generator_of(path, whole)
    found = []
    for _ in range(_RESAMPLES if statistic is mean_s else _REFITS):
        places = generator.integers(0, len(whole), len(whole))
        complete = places < len(values_s)
        if complete.any():
            found.append(statistic(whole[places[complete]], whole[places[~complete]]))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def generator_of(name: str, values: Array) -> np.random.Generator:
    """Return a generator that is a pure function of a name and the observations."""
    digest = hashlib.blake2b(name.encode() + np.ascontiguousarray(values).tobytes(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))
