"""Keys: one draw at a time is the column, and a hot key takes its share while it is hot, and only from others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from lab.randomness import Stream
from lab.scenario.arithmetic import arithmetic
from lab.scenario.key_draws import KeyDraws
from lab.scenario.keys import Keys
from lab.scenario.mix import key_count, popularity
from tests.unit.backends import scenario, service, waiting

_KEYS: TypeAdapter[Keys] = TypeAdapter(Keys)
_ZIPF = {"kind": "zipf", "exponent": 0.9, "count": 300}
_HOT = {"kind": "hot_key", "base": _ZIPF, "key": 7, "share": "30%", "at": "60s", "until": "120s"}
_TIMES = np.linspace(0, 200, 20_001)


def _draws(spec: object) -> KeyDraws:
    return KeyDraws(_KEYS.validate_python(spec), lambda name: Stream(seed=2, replication=0, name=name))


@pytest.mark.parametrize("spec", [{"kind": "uniform", "count": 9}, _ZIPF, _HOT], ids=["uniform", "zipf", "hot"])
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
