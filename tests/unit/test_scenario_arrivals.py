"""Arrivals over time: sums, the day's swing, and herds that come by number, not by chance."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from lab.errors import Unsupported
from lab.randomness import Stream
from lab.scenario.arrivals import ArrivalRate, Points, arrivals_expected, chance_points, rate_points
from lab.scenario.schedule import draw_arrivals

_RATE: TypeAdapter[ArrivalRate] = TypeAdapter(ArrivalRate)
_SPIKE = {"kind": "spike", "base": "1/s", "peak": "9/s", "at": "10s", "rise": "5s", "hold": "20s", "fall": "5s"}
_DAY = {"kind": "diurnal", "mean": "100/s", "peak_at": "14h"}
_HERD = {"kind": "herd", "clients": 500, "at": "60s", "jitter": "30s"}


def _rate(spec: object) -> ArrivalRate:
    return _RATE.validate_python(spec)


def _sum(*parts: object) -> ArrivalRate:
    return _rate({"kind": "sum", "of": list(parts)})


def _draw(spec: object, duration_s: float, replication: int = 0) -> np.ndarray[Any, Any]:
    def stream(name: str) -> Stream:
        return Stream(seed=3, replication=replication, name=name)

    return draw_arrivals(_rate(spec), duration_s, stream)


def _area(points: Points) -> float:
    return sum((later - time) * (a + b) / 2 for (time, a), (later, b) in pairwise(points))


class TestSums:
    """Several curves at once."""

    def test_corners_and_jumps_of_all_parts(self) -> None:
        """A spike on top of a staircase: levels add up at each corner of either."""
        steps = {"kind": "steps", "steps": [{"at": "0s", "rate": "2/s"}, {"at": "12s", "rate": "4/s"}]}
        corners = [(0, 4), (10, 4), (12, 7.2), (12, 9.2), (15, 14), (35, 14), (40, 6), (50, 6)]
        assert np.array(rate_points(_sum("1/s", _SPIKE, steps), 50.0)) == pytest.approx(np.array(corners))

    def test_a_sum_of_one_is_that_one(self) -> None:
        """The very same points."""
        assert rate_points(_sum(_SPIKE), 50.0) == rate_points(_rate(_SPIKE), 50.0)

    def test_sums_nest(self) -> None:
        """A sum within a sum is their sum."""
        inner = {"kind": "sum", "of": ["2/s", _HERD]}
        assert rate_points(_sum(inner, "3/s"), 50.0) == rate_points(_sum("2/s", "3/s", _HERD), 50.0)

    @given(st.lists(st.sampled_from(["5/s", _SPIKE, _DAY, _HERD]), min_size=1, max_size=4), st.integers(1, 200))
    def test_areas_add_up(self, parts: list[object], duration: int) -> None:
        """The number expected of a sum is that of its parts."""
        alone = sum(arrivals_expected(_rate(part), duration) for part in parts)
        assert arrivals_expected(_sum(*parts), duration) == pytest.approx(alone)
        assert _area(rate_points(_sum(*parts), duration)) == pytest.approx(alone)


class TestDiurnal:
    """The swing of a day."""

    def test_a_day_brings_its_mean(self) -> None:
        """24 h at 100/s on average, whenever the peak is: the straight lines keep the integral of a whole period."""
        for peak_at in ("0s", "14h", "31h"):
            day = _rate({**_DAY, "peak_at": peak_at})
            assert arrivals_expected(day, 86_400) == pytest.approx(100 * 86_400, rel=1e-12)

    def test_peak_and_trough(self) -> None:
        """160/s at 14 h, 40/s twelve hours away: a factor of four, as the facts have it."""
        levels = dict(rate_points(_rate(_DAY), 86_400))
        assert levels[14 * 3600.0] == pytest.approx(160.0)
        assert levels[2 * 3600.0] == pytest.approx(40.0)
        assert (max(levels.values()), min(levels.values())) == pytest.approx((160.0, 40.0))

    def test_the_lines_are_as_near_to_the_sine_as_documented(self) -> None:
        """Never further off than pi^2 / (2 x 288^2) of the swing, and about as far somewhere."""
        times, levels = zip(*rate_points(_rate(_DAY), 86_400), strict=True)
        fine = np.linspace(0, 86_400, 50_001)
        sine = 100 + 60 * np.cos(2 * np.pi * (fine - 14 * 3600) / 86_400)
        off = np.abs(np.interp(fine, times, levels) - sine).max()
        bound = 60 * np.pi**2 / (2 * 288**2)
        assert 0.9 * bound < off <= bound

    def test_the_swing_may_be_larger(self) -> None:
        """Twice the mean at the peak is nobody at night; once the mean is no swing."""
        wild, calm = (chance_points(_rate({**_DAY, "peak_to_mean": peak}), 86_400) for peak in (2, 1))
        assert min(level for _, level in wild) == pytest.approx(0.0, abs=1e-9)
        assert {level for _, level in calm} == {100.0}

    def test_a_short_run_sees_a_piece_of_the_day(self) -> None:
        """A minute at the peak is flat at 160/s."""
        points = np.array(rate_points(_rate({**_DAY, "peak_at": "0s"}), 60.0))
        assert points == pytest.approx(np.array([(0, 160), (60, 160)]), rel=1e-4)


class TestHerds:
    """Clients who come at one moment: by number."""

    def test_exactly_so_many_come_each_time(self) -> None:
        """500 between 60 s and 90 s in every replication, spread evenly."""
        for replication in range(5):
            times = _draw(_HERD, 200.0, replication)
            assert len(times) == 500
            assert (times >= 60).all()
            assert (times < 90).all()
            assert abs(times.mean() - 75) < 4 * 30 / np.sqrt(12 * 500)

    def test_without_jitter_all_come_at_once(self) -> None:
        """At one and the same time."""
        assert _draw({**_HERD, "jitter": "0s"}, 200.0).tolist() == [60.0] * 500

    def test_a_herd_leaves_the_others_alone(self) -> None:
        """The arrivals by chance are the very same with and without it."""
        with_herd = _draw({"kind": "sum", "of": ["10/s", _HERD, {**_HERD, "clients": 7, "jitter": "0s"}]}, 200.0)
        alone = _draw("10/s", 200.0)
        assert len(with_herd) == len(alone) + 507
        assert set(alone.tolist()) <= set(with_herd.tolist())
        assert (np.diff(with_herd) >= 0).all()

    def test_the_end_of_the_run_cuts_it(self) -> None:
        """Whoever would come later does not come; expected is the share before the end."""
        times = _draw(_HERD, 75.0)
        assert (times < 75).all()
        assert 200 < len(times) < 300
        assert arrivals_expected(_rate(_HERD), 75.0) == pytest.approx(250.0)
        assert arrivals_expected(_rate({**_HERD, "jitter": "0s"}), 60.0) == 0.0
        assert arrivals_expected(_rate({**_HERD, "jitter": "0s"}), 61.0) == 500.0

    def test_its_rate_is_a_rectangle_and_no_chance(self) -> None:
        """500 in 30 s are 16.7/s; none of it is drawn as a Poisson stream."""
        level = 500 / 30
        points = [(0, 0), (60, 0), (60, level), (90, level), (90, 0), (200, 0)]
        assert np.array(rate_points(_rate(_HERD), 200.0)) == pytest.approx(np.array(points))
        assert _area(chance_points(_rate(_HERD), 200.0)) == 0.0
        assert _area(rate_points(_rate({**_HERD, "jitter": "0s"}), 200.0)) == 0.0

    def test_more_than_a_run_can_hold_is_refused(self) -> None:
        """Three herds of ten million are too many."""
        herd = {"kind": "herd", "clients": 10_000_000, "at": "0s"}
        with pytest.raises(Unsupported, match="30,000,000 requests are expected"):
            _draw({"kind": "sum", "of": [herd] * 3}, 10.0)


def test_arrivals_follow_the_rate_by_quarters() -> None:
    """The counts of each quarter of a spiked run are within five standard deviations of the integral."""
    counts = np.zeros(4)
    rate = {"kind": "sum", "of": [_SPIKE, _DAY]}
    for replication in range(20):
        counts += np.histogram(_draw(rate, 60.0, replication), bins=[0, 15, 30, 45, 60])[0]
    ends = np.array([arrivals_expected(_rate(rate), end) for end in (15, 30, 45, 60)])
    expected = 20 * np.diff(ends, prepend=0)
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()


_SWITCHING = {
    "kind": "modulated",
    "phases": [{"rate": "100/s", "mean": "2s"}, {"rate": "0/s", "mean": "3s"}],
}
_SHARED = {"kind": "hawkes", "base": "10/s", "brought": "50%", "delay": "2s"}


def test_bursts_have_the_mean_rate_of_the_long_run() -> None:
    """On paper they are steady: 100/s for two fifths of the time; 10/s of whom each brings one in the end."""
    assert rate_points(_rate(_SWITCHING), 50.0) == [(0.0, 40.0), (50.0, 40.0)]
    assert rate_points(_rate(_SHARED), 50.0) == [(0.0, 20.0), (50.0, 20.0)]
    assert arrivals_expected(_sum(_SWITCHING, _SHARED, "5/s"), 10.0) == pytest.approx(650.0)


def test_a_modulated_rate_is_silent_in_its_silent_phases() -> None:
    """Gaps of seconds between streams of 100/s; another length of the silent phase moves the later ones alone."""
    starts = _draw(_SWITCHING, 200.0)
    gaps = np.diff(starts)
    assert (gaps > 0.5).sum() > 10
    assert np.median(gaps) < 0.02
    assert len(_draw(_SWITCHING, 100.0)) == (starts < 100.0).sum()


def test_a_longer_run_goes_on_where_a_shorter_one_ends() -> None:
    """Who brings whom does not hang on how long is looked at."""
    assert _draw(_SHARED, 60.0).tolist() == [start for start in _draw(_SHARED, 120.0).tolist() if start < 60.0]


def test_a_cascade_is_the_same_whatever_else_comes() -> None:
    """Beside a steady rate the same families arrive."""
    alone = set(_draw(_SHARED, 60.0).tolist())
    assert alone <= set(_draw({"kind": "sum", "of": ["5/s", _SHARED]}, 60.0).tolist())


def test_nobody_is_brought_where_nobody_comes() -> None:
    """A base of 0/s is an empty process."""
    assert len(_draw(_SHARED | {"base": "0/s"}, 60.0)) == 0


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (_SHARED | {"brought": "100%"}, "brought is 100%; from 100% on"),
        (_SWITCHING | {"phases": [{"rate": "1/s", "mean": "2s"}]}, "phases"),
    ],
)
def test_bursts_without_end_or_change_are_refused(spec: object, says: str) -> None:
    """A cascade that never ends, and one phase alone."""
    with pytest.raises(ValidationError, match=says):
        _rate(spec)
