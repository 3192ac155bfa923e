"""Keys: one draw at a time is the column, and a hot key takes its share while it is hot, and only from others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from lab.randomness import Stream
from lab.scenario.arithmetic import arithmetic
from lab.scenario.key_draws import Draws, key_draws
from lab.scenario.keys import Keys
from lab.scenario.mix import key_count, popularity
from tests.unit.backends import scenario, service, waiting

_KEYS: TypeAdapter[Keys] = TypeAdapter(Keys)
_ZIPF = {"kind": "zipf", "exponent": 0.9, "count": 300}
_HOT = {"kind": "hot_key", "base": _ZIPF, "key": 7, "share": "30%", "at": "60s", "until": "120s"}
_CELLS = {
    **{"kind": "cells", "cells": 40, "keys_per_cell": 25, "exponent": 0.7},
    "hot": [{"cell": 3, "share": "40%", "at": "20s", "until": "50s"}, {"cell": 9, "share": "60%", "at": "50s"}],
}
_TIMES = np.linspace(0, 200, 20_001)


def _draws(spec: object) -> Draws:
    return key_draws(_KEYS.validate_python(spec), lambda name: Stream(seed=2, replication=0, name=name))


@pytest.mark.parametrize(
    "spec", [{"kind": "uniform", "count": 9}, _ZIPF, _HOT, _CELLS], ids=["uniform", "zipf", "hot", "cells"]
)
def test_one_draw_is_that_of_the_column(spec: dict[str, Any]) -> None:
    """However requests come, request 17 is about the same key."""
    draws = _draws(spec)
    column = draws.column(_TIMES).tolist()
    for number in range(0, 20_001, 97):
        assert draws.one(number, float(_TIMES[number])) == column[number]


def test_the_hot_key_has_its_share_while_it_is_hot() -> None:
    """30 % and its own 0.03 of the rest between 60 s and 120 s; before and after what Zipf gives it."""
    column = _draws(_HOT).column(_TIMES)
    hot = (_TIMES >= 60) & (_TIMES < 120)
    own = 8**-0.9 / sum(rank**-0.9 for rank in range(1, 301))
    for stretch, share in ((hot, 0.3 + 0.7 * own), (~hot, own)):
        found, count = (column[stretch] == 7).mean(), stretch.sum()
        assert abs(found - share) < 4 * np.sqrt(share * (1 - share) / count)


def test_the_others_keep_their_keys() -> None:
    """Where the key is not the hot one it is what it would have been."""
    with_hot, without = _draws(_HOT).column(_TIMES), _draws(_ZIPF).column(_TIMES)
    others = with_hot != 7
    assert (with_hot[others] == without[others]).all()
    assert 0.65 < others[(_TIMES >= 60) & (_TIMES < 120)].mean() < 0.72


def test_popularity_at_a_time() -> None:
    """Before it is hot as the base has it; then the hot key is first, and the others share what is left."""
    workload = {"kind": "open", "arrival_rate": "9/s", "endpoints": {"get": "100%"}, "keys": _HOT}
    described = scenario({"api": service(waiting("1ms"))}, workload=workload)
    before, then = popularity(described), popularity(described, time_s=60.0)
    assert (len(before), before.sum(), then.sum()) == pytest.approx((300, 1, 1))
    assert then[0] == pytest.approx(0.3 + 0.7 * before[7])
    assert then[1] == pytest.approx(0.7 * before[0])
    assert key_count(described) == 300
    assert arithmetic(described).findings == ()


def test_cells_have_their_shares_one_after_the_other() -> None:
    """Zipf gives cell 3 its own, 40 % come on top between 20 s and 50 s; then cell 9 has 60 %; keys within are even."""
    column = _draws(_CELLS).column(_TIMES)
    cells, within = column // 25, column % 25
    weights = np.arange(1, 41) ** -0.7
    for low, high, cell, share in ((0, 20, 3, 0.0), (20, 50, 3, 0.4), (50, 200, 3, 0.0), (50, 200, 9, 0.6)):
        stretch = (low <= _TIMES) & (high > _TIMES)
        hotter = 0.6 if (low, cell) == (50, 3) else 0.0  # what another cell takes
        own = weights[cell] / weights.sum() * (1 - share) * (1 - hotter)
        expected, found = share + own, (cells[stretch] == cell).mean()
        assert abs(found - expected) < 4 * np.sqrt(expected * (1 - expected) / stretch.sum())
    assert abs(np.bincount(within, minlength=25) - 20_001 / 25).max() < 4 * np.sqrt(20_001 / 25)


def test_a_hot_cell_moves_requests_but_not_their_key_within() -> None:
    """Without the stadium each request would be about the same key of another cell."""
    with_hot, without = _draws(_CELLS).column(_TIMES), _draws(_CELLS | {"hot": []}).column(_TIMES)
    assert (with_hot % 25 == without % 25).all()
    moved = with_hot != without
    assert set((with_hot[moved] // 25).tolist()) == {3, 9}


def test_popularity_of_cells() -> None:
    """Each key of the hot cell has a 25th of its share."""
    workload = {"kind": "open", "arrival_rate": "9/s", "endpoints": {"get": "100%"}, "keys": _CELLS}
    described = scenario({"api": service(waiting("1ms"))}, workload=workload)
    shares = popularity(described, time_s=30.0)
    assert (len(shares), shares.sum()) == (1000, pytest.approx(1))
    third = 4**-0.7 / (np.arange(1, 41) ** -0.7).sum()
    assert shares[:25] == pytest.approx((0.4 + 0.6 * third) / 25)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"hot": [{"cell": 40, "share": "10%"}]}, "hot cell 40 does not exist: there are 40 cells"),
        ({"hot": [{"cell": 1, "share": "10%"}, {"cell": 2, "share": "10%", "at": "9s"}]}, "hot at the same time"),
        ({"hot": [{"cell": 1, "share": "10%", "at": "9s", "until": "8s"}]}, "must be later than at"),
        ({"keys_per_cell": 1_000_000}, "more than 10000000 keys"),
    ],
)
def test_impossible_cells_are_refused(change: dict[str, Any], says: str) -> None:
    """Cells that are not there, two at once, an end before the begin, too many keys."""
    with pytest.raises(ValidationError, match=says):
        _KEYS.validate_python(_CELLS | change)
