"""Claims as data: what is read, what is refused, when a finding is not as stated, how it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from lab.errors import UsageError
from lab.lessons.claims import judge, read_claims
from lab.lessons.claims_table import claims_table

CLAIMS = Path(__file__).parents[2] / "scenarios" / "do_and_dont.yaml"
SCENARIO = """
name: one
workload: {kind: open, arrival_rate: 20/s, endpoints: {get: 100%}}
entry: api
components: {api: {kind: service, endpoints: {get: [{kind: wait, time: 40ms}]}}}
run: {duration: 2s, seed: 1}
"""
CLAIM: dict[str, Any] = {
    "name": "quick",
    "says": "It is quick.",
    "why": "It is.",
    "scenario": "one.yaml",
    "figure": "sojourn_time_s_p50",
    "without": {},
    "advised": {"components.api.endpoints.get.0.time": "10ms"},
    "holds": [{"when": "always", "without": [0.039, 0.041], "advised": [0.009, 0.011]}],
    "fails": [{"when": "never", "changes": {"workload.arrival_rate": "30/s"}, "advised": [0.5, 0.6]}],
}


def _written(folder: Path, *claims: dict[str, Any]) -> Path:
    (folder / "one.yaml").write_text(SCENARIO)
    path = folder / "claims.yaml"
    with path.open("w") as file:
        YAML(typ="safe").dump({"claims": list(claims)}, file)
    return path


def test_the_shipped_claims_name_conditions_both_ways() -> None:
    """Each has a world in which it holds and one in which it fails, and a scenario that exists."""
    claims = read_claims(CLAIMS)
    assert len(claims.claims) > 15
    assert claims.untested
    for claim in claims.claims:
        assert {holds for holds, _ in claim.worlds} == {True, False}
        assert all((claims.folder / (world.scenario or claim.scenario)).is_file() for _, world in claim.worlds)


def test_a_figure_outside_of_its_band_is_told(tmp_path: Path) -> None:
    """The first world is as stated; the second says what was found and what was stated. The table tells both."""
    claims = read_claims(_written(tmp_path, CLAIM))
    as_stated, not_so = judge(claims, claims.claims[0], {})
    assert as_stated.strays == ()
    assert as_stated.predicted.without == pytest.approx(0.04)
    assert as_stated.predicted.advised == pytest.approx(0.01)
    assert not_so.strays == ("predicted sojourn_time_s_p50 with it is 0.01, stated from 0.5 to 0.6",)
    assert claims_table([as_stated, not_so]).loc["It is quick."].to_dict() == {
        "holds when": "always",
        "fails when": "never",
        "predicted": "holds: median time 40 ms -> 10 ms\nfails: median time 10 ms",
        "measured": "not measured",
    }


def test_what_is_no_claim_is_refused(tmp_path: Path) -> None:
    """No file, no mapping, an unknown key, two of one name; the message says where."""
    with pytest.raises(UsageError, match="absent"):
        read_claims(tmp_path / "absent.yaml")
    (tmp_path / "list.yaml").write_text("[1]")
    with pytest.raises(UsageError, match="must be a mapping"):
        read_claims(tmp_path / "list.yaml")
    with pytest.raises(UsageError, match=r"claims\.0\.sais"):
        read_claims(_written(tmp_path, {**CLAIM, "sais": "typo"}))
    with pytest.raises(UsageError, match="share a name"):
        read_claims(_written(tmp_path, CLAIM, CLAIM))


def test_a_record_that_is_missing_is_told(tmp_path: Path) -> None:
    """A load that nobody measured is an error that names it, not a blank."""
    recorded = {"advised": {"case": "cache", "load": "none", "within": [0, 1]}}
    claims = read_claims(_written(tmp_path, {**CLAIM, "holds": [{**CLAIM["holds"][0], "measured": recorded}]}))
    with pytest.raises(UsageError, match="'none' of case 'cache'"):
        judge(claims, claims.claims[0], {})
