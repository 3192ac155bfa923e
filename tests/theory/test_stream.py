"""Streams against theory, by 99.9 % intervals, each beside a twin 5 % off that must be rejected."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import lab
from lab.randomness import splitmix64
from lab.theory import mg1
from lab.theory.intervals import mean_interval

LEVEL = 0.999
KEYS, PARTITIONS, RATE_PER_S, WORK_S, SCV = 12, 2, 55.0, 0.02, 0.5
BATCH_RATE_PER_S, POLL_S, RECORD_S, MOST = 48.0, 0.05, 0.01, 8


def _stream(stream: dict[str, Any], *, consumers: int, work: Any, rate: str, keys: Any, **run: Any) -> lab.Scenario:
    return lab.Scenario.model_validate(
        {
            "name": "likes",
            "workload": {"kind": "open", "arrival_rate": rate, "endpoints": {"post": "100%"}, "keys": keys},
            "entry": "api",
            "components": {
                "api": {"kind": "service", "endpoints": {"post": [{"kind": "publish", "queue": "likes"}]}},
                "likes": {"kind": "stream", "consumer": "counter", "endpoint": "count", "publish_time": "0s"} | stream,
                "counter": {
                    "kind": "service",
                    "replicas": consumers,
                    "endpoints": {"count": [{"kind": "wait", "time": work}]},
                },
            },
            "run": {"duration": "65s", "warm_up": "5s", "replications": 20, "seed": 5} | run,
        }
    )


def _zipf_partitions() -> float:
    """Mean wait where each partition is an M/G/1 of its own, with the share of the keys that hash to it."""
    weights = np.arange(1, KEYS + 1, dtype=float) ** -1.0
    shares = np.zeros(PARTITIONS)
    for key, weight in enumerate(weights / weights.sum()):
        shares[splitmix64(key) % PARTITIONS] += weight
    waits = [
        mg1.waiting_time_s_mean(arrival_rate_per_s=RATE_PER_S * share, service_time_s=WORK_S, service_time_scv=SCV)
        for share in shares
    ]
    assert max(shares) > 0.55  # one partition is hotter than the other
    return float(np.dot(shares, waits))


def _batches() -> float:
    """Mean wait until the work on a record begins, of M/D/1 in batches of up to ``MOST``: an exact Markov chain.

    A state is how many wait at a poll. A batch of b takes f + b c; its i-th record begins f + (i - 1) c after the poll.
    By Little's law the mean wait is the area under the number that has not begun over the mean number of arrivals.
    """
    largest = 200
    chain, area_s, length_s = np.zeros((largest + 1, largest + 1)), np.zeros(largest + 1), np.zeros(largest + 1)
    for waiting in range(1, largest + 1):
        batch = min(waiting, MOST)
        length_s[waiting] = POLL_S + batch * RECORD_S
        mean = BATCH_RATE_PER_S * length_s[waiting]
        left = waiting - batch
        # Those of the batch that have not begun, those that stay behind, and half of those that come meanwhile.
        unbegun = sum((waiting - number) * RECORD_S for number in range(1, batch + 1))
        area_s[waiting] = waiting * POLL_S + unbegun + mean * length_s[waiting] / 2
        for come in range(largest + 1 - left):
            chain[waiting, left + come] = math.exp(-mean + come * math.log(mean) - math.lgamma(come + 1))
        chain[waiting, largest] += max(0.0, 1 - chain[waiting].sum())
    idle = chain[:, 0].copy()  # nobody waits: it waits for the first, who is then polled alone
    chain[:, 1] += chain[:, 0]
    states = chain[1:, 1:]
    matrix = np.vstack([states.T - np.eye(largest), np.ones(largest)])
    shares = np.linalg.lstsq(matrix, np.append(np.zeros(largest), 1.0), rcond=None)[0]
    cycle_s = float(shares @ (length_s[1:] + idle[1:] / BATCH_RATE_PER_S))
    return float(shares @ area_s[1:]) / (BATCH_RATE_PER_S * cycle_s)


CASES = {
    "each partition is M/G/1 with its share of the keys": (
        _stream(
            {"partitions": PARTITIONS},
            consumers=PARTITIONS,
            work={"kind": "lognormal", "mean": "20ms", "scv": SCV},
            rate=f"{RATE_PER_S:g}/s",
            keys={"kind": "zipf", "exponent": 1.0, "count": KEYS},
        ),
        {"components.counter.endpoints.count.0.time.mean": "21ms"},
        _zipf_partitions(),
    ),
    "batches are bulk service": (
        _stream(
            {"max_poll_records": MOST, "poll_time": f"{POLL_S * 1000:g}ms", "commit_interval": "0s"},
            consumers=1,
            work=f"{RECORD_S * 1000:g}ms",
            rate=f"{BATCH_RATE_PER_S:g}/s",
            keys={"kind": "uniform", "count": 1000},
        ),
        {"components.likes.poll_time": f"{POLL_S * 1050:g}ms"},
        _batches(),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_theory_lies_in_the_interval_and_not_in_the_twins(name: str) -> None:
    """The mean wait is in the interval of the model, and out of that of a model whose times are 5 % longer."""
    scenario, twin, theory = CASES[name]
    figure = ("waiting_time_s_mean", "likes")
    here, there = (
        mean_interval(lab.simulate(each, progress=False, allow_unstable=True).per_replication(*figure), LEVEL)
        for each in (scenario, scenario.with_(twin))
    )
    assert here.contains(theory), f"theory {theory:.6g} outside {here}"
    assert not there.contains(theory), f"theory {theory:.6g} inside {there}"


@pytest.mark.slow
def test_a_hot_partition_bounds_what_the_group_can_do() -> None:
    """The hottest partition's lag grows by its surplus; as many consumers again change nothing of that."""
    scenario = _stream(
        {"partitions": 4, "commit_interval": "0s", "max_poll_records": 1},
        consumers=4,
        work="20ms",
        rate="100/s",
        keys={"kind": "hot_key", "base": {"kind": "uniform", "count": 4000}, "share": "60%", "at": "0s"},
        duration="40s",
        warm_up="0s",
        replications=6,
    )
    surplus_per_s = 100 * (0.6 + 0.4 / 4) - 1 / 0.02
    for consumers in (4, 8):
        run = lab.simulate(
            scenario.with_({"components.counter.replicas": consumers}), progress=False, allow_unstable=True
        )
        hottest = run.samples[run.samples["gauge"] == "lag_hottest"]
        growth = hottest.groupby("replication")["value"].last() / 40
        assert mean_interval(growth, LEVEL).contains(surplus_per_s)
        assert not mean_interval(growth, LEVEL).contains(surplus_per_s * 1.3)
