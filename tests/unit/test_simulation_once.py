"""Transactions that are done once for a request, however often it comes: each rule worked out by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import lab
from lab.errors import ScenarioError
from lab.scenario.scenario import Scenario
from lab.validation.laws import broken_laws
from lab.validation.transaction_laws import done_twice
from tests.unit.backends import observe, scenario, service, waiting

_CHANGE = {"kind": "query", "database": "main", "query": "change"}
_READ = {"kind": "query", "database": "main", "query": "read"}


def _transfer(*steps: dict[str, Any], **others: Any) -> dict[str, Any]:
    steps = steps or (_CHANGE,)
    return {"kind": "transaction", "database": "main", "steps": list(steps), "idempotent": True} | others


def _database(**others: Any) -> dict[str, Any]:
    queries = {"change": {"statement": "update", "time": "100ms"}, "read": "10ms"}
    return {"kind": "database", "pool": {"size": 10}, "round_trip": "0s", "queries": queries} | others


def _retry(attempts: int, delay: str = "0s") -> dict[str, Any]:
    return {"retry": {"attempts": attempts, "backoff": {"kind": "constant", "delay": delay}}}


def _described(*steps: dict[str, Any], client: Any = None, faults: Any = (), **others: Any) -> Scenario:
    parts = {"api": service(*(steps or (_transfer(),))), "main": _database(**others)}
    return scenario(parts, client=client or {}, faults=list(faults))


def _commits(visits: pd.DataFrame) -> int:
    ended = visits[visits["component"].str.endswith(".server") & (visits["operation"] == "commit")]
    return int((ended["outcome"] == "ok").sum())


def _claims(visits: pd.DataFrame) -> pd.DataFrame:
    return visits[visits["component"] == "main.once"].sort_values(["request", "attempt"])


def test_a_client_that_tries_again_transfers_twice_unless_the_transfer_is_idempotent() -> None:
    """Given up at 80 ms, done at 100 ms: the second attempt does it again, or waits for the first and is content."""
    for idempotent, commits, outcome, end_s in ((False, 2, "timeout", 0.16), (True, 1, "ok", 0.1)):
        described = _described(_transfer(idempotent=idempotent), client={"timeout": "80ms"} | _retry(2))
        requests, visits = observe(described, [0.0])
        assert _commits(visits) == commits
        assert requests["outcome"].tolist() == [outcome]
        assert requests["end_s"].tolist() == pytest.approx([end_s])


def test_a_duplicate_waits_for_the_first_attempt_and_does_no_step() -> None:
    """From 80 ms to 100 ms; no statement of the second attempt gets a core."""
    _, visits = observe(_described(client={"timeout": "80ms"} | _retry(2)), [0.0])
    claims = _claims(visits)
    assert claims["outcome"].tolist() == ["ok", "rejected"]
    assert claims["waiting_time_s"].tolist() == pytest.approx([0.0, 0.02])
    asked = visits[visits["component"] == "main.server"]
    assert sorted(zip(asked["attempt"], asked["operation"], strict=True)) == [
        (0, "change"), (0, "commit"), (1, "rollback"),
    ]  # fmt: skip


def test_other_requests_are_not_held_up() -> None:
    """Whose key is whose: two requests about two rows at once."""
    requests, visits = observe(_described(), [0.0, 0.0], keys=[1, 2])
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.1])
    assert _commits(visits) == 2


def test_what_was_rolled_back_is_done_by_the_next_attempt() -> None:
    """Another request holds the row for 100 ms; in 30 ms the first attempt does not get it; the second does."""
    described = _described(client=_retry(2, "50ms"), lock_timeout="30ms")
    requests, visits = observe(described, [0.0, 0.05], keys=[1, 1])
    claims = _claims(visits)
    assert claims[claims["request"] == 1]["outcome"].tolist() == ["error", "ok"]
    assert requests["outcome"].tolist() == ["ok", "ok"]
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.05 + 0.03 + 0.05 + 0.1])
    assert _commits(visits) == 2


def test_a_conflict_is_no_duplicate() -> None:
    """The retry of the transaction itself does its work."""
    step = _transfer(_READ, _CHANGE, retries=1)
    requests, visits = observe(_described(step, isolation="serializable"), [0.0, 0.0])
    assert requests["outcome"].tolist() == ["ok", "ok"]
    assert _commits(visits) == 2
    assert _claims(visits)["outcome"].tolist() == ["ok", "error", "ok"]


@pytest.mark.parametrize(("idempotent", "commits"), [(False, 2), (True, 1)])
def test_a_message_that_comes_again_is_not_worked_on_again(idempotent: bool, commits: int) -> None:
    """Taken back after 50 ms while its consumer is still at it: an idempotent consumer does it once."""
    parts = {
        "api": service({"kind": "publish", "queue": "jobs"}),
        "jobs": {
            **{"kind": "queue", "consumer": "worker", "endpoint": "get", "publish_time": "0s"},
            **{"visibility_timeout": "50ms", "max_attempts": 3, "prefetch": 5},
        },
        "worker": service(_transfer(idempotent=idempotent)),
        "main": _database(),
    }
    _, visits = observe(scenario(parts), [0.0])
    assert _commits(visits) == commits


def test_two_transactions_of_a_request_are_two() -> None:
    """Each has a number of its own."""
    requests, visits = observe(_described(_transfer(), _transfer()), [0.0])
    assert requests["end_s"].tolist() == pytest.approx([0.2])
    assert _commits(visits) == 2


def test_a_commit_that_a_failover_lost_is_made_again() -> None:
    """Committed at 100 ms, answered too late for its client, not on the replica; the next attempt does it anew."""
    described = _described(
        _transfer(),
        waiting("500ms"),
        client={"timeout": "400ms"} | _retry(2, "2s"),
        faults=[{"kind": "failover", "component": "main", "at": "200ms"}],
        replicas=1,
        replication_lag="5s",
        failover_time="1s",
    )
    _, visits = observe(described, [0.0])
    assert _commits(visits) == 2
    assert _claims(visits)["outcome"].tolist() == ["ok", "ok"]


def test_a_commit_in_doubt_is_not_made_again() -> None:
    """The primary crashes while the commit waits for its replica: the client saw an error, and tries again."""
    described = _described(
        client=_retry(2, "500ms"),
        faults=[{"kind": "crash", "component": "main", "at": "200ms", "restart_after": "100ms"}],
        replicas=1,
        replication_lag="5s",
        synchronous_replicas=1,
    )
    requests, visits = observe(described, [0.0])
    assert requests["outcome"].tolist() == ["ok"]
    assert requests["end_s"].tolist() == pytest.approx([0.7])
    assert _commits(visits) == 1


def test_nothing_to_protect_is_refused() -> None:
    """A transaction that only reads; a file, where the key would come before all reads."""
    with pytest.raises(ScenarioError, match="idempotent: has no effect, as none of its queries writes"):
        _described(_transfer(_READ))
    with pytest.raises(ScenarioError, match="idempotent: is not modelled with engine: sqlite"):
        _described(engine="sqlite")


def _busy(*, idempotent: bool) -> lab.Run:
    drawn = {"change": {"statement": "update", "time": {"kind": "exponential", "mean": "20ms"}}}
    client = {"timeout": "30ms"} | _retry(3)
    described = _described(_transfer(idempotent=idempotent), client=client, queries=drawn)
    changes = {"workload.arrival_rate": "40/s", "workload.keys": {"kind": "uniform", "count": 30}}
    run = {"run.duration": "20s", "run.replications": 1}
    return lab.simulate(described.with_(changes | run), progress=False, allow_unstable=True)


def test_the_law_of_once_is_kept_and_can_be_broken() -> None:
    """Impatient clients: idempotent none is booked twice; else many are, which the law would call by its name."""
    once, often = _busy(idempotent=True), _busy(idempotent=False)
    assert broken_laws(once) == broken_laws(often) == []
    promised = Scenario.model_validate(once.scenario)
    (said,) = done_twice(promised, "main", often.visits)
    assert "idempotent transactions" in said
    assert list(done_twice(Scenario.model_validate(often.scenario), "main", often.visits)) == []


def test_the_law_of_once_outlives_a_synchronous_failover() -> None:
    """What a replica has was done once, whichever server is asked again; asynchronously nothing is promised."""
    run = _busy(idempotent=True)
    failover = {"components.main.replicas": 2, "faults": [{"kind": "failover", "component": "main", "at": "5s"}]}
    lossy = Scenario.model_validate(run.scenario).with_(failover)
    commits = run.visits[(run.visits["component"] == "main.server") & (run.visits["operation"] == "commit")]
    twice = pd.concat([commits, commits]).assign(component="main.replication")
    assert list(done_twice(lossy, "main", twice)) == []
    (said,) = done_twice(lossy.with_({"components.main.synchronous_replicas": 1}), "main", twice)
    assert "idempotent transactions" in said
