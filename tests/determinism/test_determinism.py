"""Same seed, same bytes: across processes, with any number of jobs; and no change moves a draw that is not its own."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import lab

FIRST_SPIKE = Path(__file__).parents[2] / "scenarios" / "validation" / "first_spike.yaml"
QUICK = {"run.duration": "20s", "run.replications": 3}


def _quick(**changes: Any) -> lab.Scenario:
    return lab.read_scenario(FIRST_SPIKE).with_(QUICK | changes)


def _bytes(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def test_any_number_of_jobs_gives_the_same_bytes(tmp_path: Path) -> None:
    """One process or two: the saved Runs are equal byte for byte."""
    for jobs in (1, 2):
        lab.simulate(_quick(), n_jobs=jobs, progress=False).save(tmp_path / str(jobs))
    assert _bytes(tmp_path / "1") == _bytes(tmp_path / "2")


def test_another_process_gives_the_same_bytes(tmp_path: Path) -> None:
    """A fresh interpreter with another hash seed writes the very same files."""
    code = (
        "import sys, lab; s = lab.read_scenario(sys.argv[1]).with_({'run.duration': '20s', 'run.replications': 3}); "
        "lab.simulate(s, progress=False).save(sys.argv[2])"
    )
    for seed in ("1", "2"):
        command = [sys.executable, "-c", code, str(FIRST_SPIKE), str(tmp_path / seed)]
        subprocess.run(command, check=True, env={"PYTHONHASHSEED": seed})
    assert _bytes(tmp_path / "1") == _bytes(tmp_path / "2")


def test_another_seed_gives_another_run() -> None:
    """The tests above could not pass by ignoring the seed."""
    runs = [lab.simulate(_quick(), seed=seed, progress=False) for seed in (1, 2)]
    assert runs[0].fingerprint() != runs[1].fingerprint()


def _times(run: lab.Run, component: str) -> dict[tuple[int, int, int, str], float]:
    """The service time of every visit, by address."""
    rows = run.visits[(run.visits["component"] == component) & run.visits["admitted_s"].notna()]
    keys = zip(rows["replication"], rows["request"], rows["attempt"], rows["operation"].astype(str), strict=True)
    return dict(zip(keys, rows["service_time_s"].tolist(), strict=True))


def _shared_are_equal(before: lab.Run, after: lab.Run, component: str) -> int:
    here, there = _times(before, component), _times(after, component)
    shared = here.keys() & there.keys()
    assert all(here[key] == there[key] for key in shared)
    return len(shared)


@pytest.mark.parametrize(
    "change",
    [
        {"components.edge.algorithm": "random"},
        {"components.api.replicas": 5},
        {"components.items.ttl": "1s"},
        {"client.timeout": "30ms"},
        {"workload.arrival_rate.peak": "300/s"},
        {
            "components.extra": {"kind": "cache"},
            "components.api.endpoints.read_item.2": {
                "kind": "cached",
                "cache": "extra",
                "miss": [
                    {"kind": "wait", "time": {"kind": "exponential", "mean": "1ms"}},
                    {
                        "kind": "cached",
                        "cache": "items",
                        "miss": [{"kind": "query", "database": "main", "query": "item_by_id"}],
                    },
                ],
            },
        },
    ],
    ids=["algorithm", "replicas", "ttl", "timeout", "peak", "component"],
)
def test_a_change_leaves_all_other_draws_alone(change: dict[str, Any]) -> None:
    """Queries and own CPU work keep their times at every address that both variants visit."""
    before = lab.simulate(_quick(), progress=False)
    scenario = _quick()
    document = scenario.to_document()
    if "components.extra" in change:
        document["components"]["extra"] = change.pop("components.extra")
        scenario = lab.Scenario.model_validate(document)
    after = lab.simulate(scenario.with_(change), progress=False, allow_unstable=True)
    assert _shared_are_equal(before, after, "main") > 100
    assert _shared_are_equal(before, after, "api.event_loop") > 500


def test_replaying_the_schedule_gives_the_same_replication() -> None:
    """A Run's own schedule, replayed with its seed, gives its first replication again."""
    drawn = lab.simulate(_quick(), replications=1, progress=False)
    replayed = lab.simulate(_quick(), replay=drawn, progress=False)
    assert replayed.fingerprint() == drawn.fingerprint()
