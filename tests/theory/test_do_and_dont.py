"""Each performance claim of the guides, both ways: a world in which it holds and one in which it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.lessons.claims import Claim, judge, read_claims
from lab.validation.ledger import CaseRecord, read_records

ROOT = Path(__file__).parents[2]
CLAIMS = read_claims(ROOT / "scenarios" / "do_and_dont.yaml")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def records() -> dict[str, CaseRecord]:
    """What was measured, by case."""
    return {record.case: record for record in read_records(ROOT / "measurements" / "matrix")}


@pytest.mark.parametrize("claim", CLAIMS.claims, ids=lambda claim: claim.name)
def test_it_holds_where_it_is_said_to_and_fails_where_it_is_not(claim: Claim, records: dict[str, CaseRecord]) -> None:
    """Every figure, predicted and measured, lies in the band that the statement names."""
    assert [stray for finding in judge(CLAIMS, claim, records) for stray in finding.strays] == []
