"""Request logs that are CSV: Locust's, k6's, JMeter's."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from lab.errors import UsageError
from lab.runs.importers.answers import Answer, Imported, Reading, outcome_of

_LOCUST = ("timestamp", "request_type", "name", "response_time_ms", "status_code", "exception")
_K6 = ("metric_name", "timestamp", "metric_value", "name", "status")
_JTL = ("timeStamp", "elapsed", "label", "success")
# A number of seconds since 1970 has ten digits before the point until the year 2286; k6 may write finer units.
_UNITS_BY_DIGITS = ((11, 1.0), (14, 1e-3), (17, 1e-6), (20, 1e-9))


def locust_requests(path: Path) -> Imported:
    """Return the requests in the log of Locust's ``CsvRequestLogger`` (timestamp: when a request was sent).

    Raises:
        UsageError: it is not such a file.
        NotEnoughData: it has no usable row.
    """
    reading = Reading(source=path.name)
    for where, row in _rows(path, _LOCUST, reading):
        sent_s, took_ms = _number(row["timestamp"]), _number(row["response_time_ms"])
        status = _number(row["status_code"])
        if sent_s is None or took_ms is None or took_ms < 0 or status is None:
            reading.leave_out(where, "timestamp, response_time_ms or status_code is no number")
            continue
        failed = bool(row["exception"])
        outcome = outcome_of(int(status)) if status or not failed else _unanswered(row["exception"])
        reading.answers.append(
            Answer(
                sent_s=sent_s,
                duration_s=took_ms / 1e3,
                endpoint=f"{row['request_type']} {row['name']}".strip(),
                outcome="error" if failed and outcome == "ok" else outcome,
            )
        )
    return reading.done("locust")


def k6(path: Path) -> Imported:
    """Return the requests in k6's CSV output: its metric ``http_req_duration``, stamped at the request's end.

    Raises:
        UsageError: it is not such a file.
        NotEnoughData: it has no usable row.
    """
    reading = Reading(source=path.name)
    whole = 0
    for where, row in _rows(path, _K6, reading):
        if row["metric_name"] != "http_req_duration":
            continue
        ended_s, took_ms, status = _moment(row["timestamp"]), _number(row["metric_value"]), _number(row["status"])
        if ended_s is None or took_ms is None or took_ms < 0 or status is None:
            reading.leave_out(where, "timestamp, metric_value or status is no number")
            continue
        whole += ended_s == math.floor(ended_s)
        endpoint = " ".join(part for part in (row.get("method", ""), row["name"]) if part)
        reading.answers.append(
            Answer(
                sent_s=ended_s - took_ms / 1e3,
                duration_s=took_ms / 1e3,
                endpoint=_without_query(endpoint),
                outcome=outcome_of(int(status)),
            )
        )
    if reading.answers and whole == len(reading.answers):
        reading.notes.append(
            "time stamps are whole seconds, so arrivals are known to a second only (timeFormat=unix_nano)"
        )
    return reading.done("k6")


def jtl(path: Path, *, stamped_at: str = "start") -> Imported:
    """Return the samples in JMeter's JTL (CSV).

    Args:
        path: the file.
        stamped_at: whether ``timeStamp`` is a sample's ``start`` (JMeter's shipped properties) or ``end``.

    Raises:
        UsageError: it is not such a file.
        NotEnoughData: it has no usable row.
    """
    reading = Reading(source=path.name)
    for where, row in _rows(path, _JTL, reading):
        stamp_ms, took_ms = _number(row["timeStamp"]), _number(row["elapsed"])
        if stamp_ms is None or took_ms is None or took_ms < 0:
            reading.leave_out(where, "timeStamp or elapsed is no number")
            continue
        if row["success"] not in ("true", "false"):
            reading.leave_out(where, f"success is {row['success'][:20]!r}, neither true nor false")
            continue
        status = _number(row.get("responseCode", ""))
        outcome = outcome_of(int(status)) if status is not None else ("ok" if row["success"] == "true" else "error")
        sent_ms = stamp_ms if stamped_at == "start" else stamp_ms - took_ms
        reading.answers.append(
            Answer(
                sent_s=sent_ms / 1e3,
                duration_s=took_ms / 1e3,
                endpoint=row["label"],
                outcome="error" if row["success"] == "false" and outcome == "ok" else outcome,
            )
        )
    return reading.done("jtl")


def _rows(path: Path, needed: tuple[str, ...], reading: Reading) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield each row with its line number; rows with too few or too many cells are left out, and said."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            missing = [name for name in needed if name not in (rows.fieldnames or ())]
            if missing:
                raise UsageError(
                    f"{path.name}: lacks the columns {', '.join(missing)} (it has: "
                    f"{', '.join(rows.fieldnames or ()) or 'none'}); is it of another format?"
                )
            for row in rows:
                where = f"line {rows.line_num}"
                if None in row or None in row.values():
                    reading.leave_out(where, "has another number of cells than the header")
                    continue
                yield where, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path.name}: cannot be read as CSV ({error})") from error


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _moment(text: str) -> float | None:
    """Return seconds since 1970 of a number in any of k6's units, or of an RFC 3339 time."""
    value = _number(text)
    if value is None:
        try:
            return datetime.fromisoformat(text).timestamp()
        except ValueError:
            return None
    digits = len(str(int(abs(value))))
    return next((value * unit for most, unit in _UNITS_BY_DIGITS if digits < most), None)


def _unanswered(exception: str) -> str:
    return "timeout" if "timeout" in exception.lower() or "timed out" in exception.lower() else "error"


def _without_query(endpoint: str) -> str:
    return endpoint.partition("?")[0]
