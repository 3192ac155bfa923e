"""How the time of a statement grows with the rows of its table: the plan that the database chose."""

from __future__ import annotations

import math
from typing import Annotated, Literal, assert_never

from pydantic import Discriminator, Field

from lab.quantities import PositiveDuration, Spec


class ScanPlan(Spec):
    """Reads every row (a sequential scan): what a missing index costs."""

    kind: Literal["scan"] = "scan"
    time_per_row: PositiveDuration = Field(
        default="55ns", validate_default=True, description="For each row of the table, read or not."
    )


class IndexPlan(Spec):
    """Descends an index (a B-tree): one comparison more each time that the table doubles."""

    kind: Literal["index"] = "index"
    time_per_comparison: PositiveDuration = Field(
        default="100ns", validate_default=True, description="For each of the log2(rows) comparisons on the way down."
    )


Plan = Annotated[ScanPlan | IndexPlan, Discriminator("kind")]


def plan_time_s(plan: Plan, rows: float) -> float:
    """Return what the plan adds to the statement's own time when the table has this many rows.

    Everything is in memory. The shapes are those of PostgreSQL's cost model: a sequential scan costs a constant for
    each row, an index descent log2(rows) comparisons. Its cost units are not times: measured on PostgreSQL 18 with
    200,000 rows in memory, a scan took 10.9 ms (55 ns a row) and an index lookup of 199 rows 0.30 ms, 36 times less,
    where the cost model says 7.5 times.

    Args:
        plan: which.
        rows: of the table, 0 or more.

    Source: PostgreSQL 18, src/backend/optimizer/path/costsize.c (cost_seqscan) and utils/adt/selfuncs.c
        (btcostestimate).

    >>> round(plan_time_s(ScanPlan(), 200_000), 6), round(plan_time_s(IndexPlan(), 2**20), 9)
    (0.011, 2e-06)
    """
    match plan:
        case ScanPlan():
            return rows * plan.time_per_row
        case IndexPlan():
            return math.log2(max(rows, 1.0)) * plan.time_per_comparison
        case _:
            assert_never(plan)
