"""Locust's ``_stats.csv``: figures that were worked out already, rounded, and no single request."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from lab.errors import NotEnoughData, UsageError

_COUNT, _FAILED, _RATE = "Request Count", "Failure Count", "Requests/s"
_QUANTILES = {"50%": "sojourn_time_s_p50", "95%": "sojourn_time_s_p95", "99%": "sojourn_time_s_p99"}
_AVERAGE = "Average Response Time"


def locust_statistics(path: Path) -> pd.DataFrame:
    """Return the figures of each endpoint in Locust's statistics (``--csv``), under the names that a Run's have.

    For looking at beside a Run, not for judging: Locust rounds its percentiles to two digits above 100 ms and to whole
    milliseconds below, so each may be off by 5 % (a 2.5 ms median reads 2 ms).

    Returns:
        Columns metric, subject, value, unit; the subject ``all`` is Locust's row Aggregated.

    Raises:
        UsageError: it is not such a file, or a cell is no number; the message has the line.
        NotEnoughData: it counts no request.
    """
    needed = ("Type", "Name", _COUNT, _FAILED, _RATE, _AVERAGE, *_QUANTILES)
    rows: list[tuple[str, str, float, str]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            missing = [name for name in needed if name not in (table.fieldnames or ())]
            if missing:
                raise UsageError(f"{path.name}: lacks the columns {', '.join(missing)}; is it Locust's _stats.csv?")
            for row in table:
                try:
                    rows += _figures(row)
                except (TypeError, ValueError) as error:
                    raise UsageError(f"{path.name}: line {table.line_num}: a cell is no number ({error})") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path.name}: cannot be read as CSV ({error})") from error
    if not rows:
        raise NotEnoughData(f"{path.name}: counts no request")
    return pd.DataFrame(rows, columns=["metric", "subject", "value", "unit"])


def _figures(row: dict[str, str]) -> list[tuple[str, str, float, str]]:
    count = float(row[_COUNT])
    if count == 0:
        return []
    subject = "all" if row["Name"] == "Aggregated" else f"{row['Type']} {row['Name']}".strip()
    figures = [("throughput_per_s", subject, float(row[_RATE]), "1/s")]
    figures.append(("error_ratio", subject, float(row[_FAILED]) / count, ""))
    figures.append(("sojourn_time_s_mean", subject, float(row[_AVERAGE]) / 1e3, "s"))
    figures += [(metric, subject, float(row[column]) / 1e3, "s") for column, metric in _QUANTILES.items()]
    return figures
