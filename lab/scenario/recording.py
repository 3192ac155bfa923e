"""Recorded schedules of requests: read from CSV or Parquet, every bad row told by its number."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lab.errors import ScenarioError
from lab.scenario.fronts import service_behind
from lab.scenario.problems import listed, shown
from lab.scenario.workload import ReplayWorkload

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario

_NEEDED, _OPTIONAL = ("intended_start_s", "endpoint"), ("key",)
_MOST_BYTES = 2**30
_MOST_KEY = 10_000_000  # the scenario language counts no further


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recorded schedule in the order of its intended starts; of rows at one time the first in the file is first.

    Attributes:
        intended_start_s: shape (n,), not falling.
        endpoint: n names.
        key: shape (n,), each from 0; all 0 where the file has none.
        sha256: of the file's bytes, in hex.
    """

    intended_start_s: NDArray[np.float64]
    endpoint: tuple[str, ...]
    key: NDArray[np.int64]
    sha256: str


def recording_of(scenario: Scenario) -> Recording:
    """Return the recording that the scenario replays, up to the end of its run.

    Raises:
        ScenarioError: the file cannot be read, or holds rows that cannot be sent; the message numbers them.
    """
    workload = scenario.workload
    assert isinstance(workload, ReplayWorkload)
    path = Path(workload.file)
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    known = frozenset(service_behind(scenario, scenario.entry).endpoints)
    return _read(path, (status.st_mtime_ns, status.st_size), known, scenario.run.duration)


@lru_cache(maxsize=2)
def _read(path: Path, _version: tuple[int, int], endpoints: frozenset[str], duration_s: float) -> Recording:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(raw) > _MOST_BYTES:
        raise ScenarioError(f"workload.file: {path} is larger than {_MOST_BYTES} bytes; cut it into shorter recordings")
    match path.suffix.lower():
        case ".csv":
            columns = _csv_columns(path, raw)
        case ".parquet":
            columns = _parquet_columns(path, raw)
        case suffix:
            raise ScenarioError(f"workload.file: {path} ends in {suffix or 'nothing'!r}; give a .csv or .parquet file")
    starts, names, keys = _checked(path, columns, endpoints)
    order = np.argsort(starts, kind="stable")
    order = order[starts[order] < duration_s]
    return Recording(
        intended_start_s=starts[order],
        endpoint=tuple(names[i] for i in order.tolist()),
        key=keys[order],
        sha256=hashlib.sha256(raw).hexdigest(),
    )


def _unreadable(path: Path, error: Exception) -> ScenarioError:
    reason = getattr(error, "strerror", None) or str(error)
    return ScenarioError(f"workload.file: {path} cannot be read ({reason}); check the path")


def _csv_columns(path: Path, raw: bytes) -> dict[str, list[Any]]:
    try:
        rows = csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True)
        header = [name.strip() for name in next(rows, [])]
        _check_header(path, header)
        columns: dict[str, list[Any]] = {name: [] for name in header}
        for number, row in enumerate((row for row in rows if row), start=1):  # a blank line at the end is no row
            if len(row) != len(header):
                raise ScenarioError(
                    f"workload.file: {path}: row {number} has {len(row)} cells, but there are {len(header)} columns; "
                    "give every row each of them"
                )
            for name, value in zip(header, row, strict=True):
                columns[name].append(value.strip())
    except (UnicodeDecodeError, csv.Error) as error:
        raise ScenarioError(f"workload.file: {path} is not CSV in UTF-8 ({error}); save it anew") from error
    return columns


def _parquet_columns(path: Path, raw: bytes) -> dict[str, list[Any]]:
    import pyarrow as pa  # here, to keep reading scenarios quick
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(raw))
    except (pa.ArrowException, OSError) as error:
        raise ScenarioError(f"workload.file: {path} is not Parquet ({error}); save it anew") from error
    _check_header(path, table.column_names)
    return {name: table[name].to_pylist() for name in (*_NEEDED, *_OPTIONAL) if name in table.column_names}


def _check_header(path: Path, names: list[str]) -> None:
    missing = [name for name in _NEEDED if name not in names]
    if missing or len(set(names)) < len(names):
        what = f"lacks {' and '.join(missing)}" if missing else "has a column twice"
        raise ScenarioError(
            f"workload.file: {path} {what}; it needs the columns {', '.join(_NEEDED)} and may have key "
            f"(it has: {shown(', '.join(names))})"
        )


def _checked(
    path: Path, columns: dict[str, list[Any]], endpoints: frozenset[str]
) -> tuple[NDArray[np.float64], list[str], NDArray[np.int64]]:
    """Return the columns as numbers and names, or raise with the numbers of all rows that cannot be."""
    problems = list(_problems(columns, endpoints))
    if not columns["endpoint"]:
        problems = ["there is no row in it"]
    if problems:
        sentences = [f"workload.file: {path}: {problem}" for problem in problems]
        raise ScenarioError(listed(tuple(sentences)), problems=tuple(sentences))
    count = len(columns["endpoint"])
    return (
        np.array([float(value) for value in columns["intended_start_s"]]),
        [str(name) for name in columns["endpoint"]],
        np.array([int(key) for key in columns.get("key", [0] * count)], dtype=np.int64),
    )


def _problems(columns: dict[str, list[Any]], endpoints: frozenset[str]) -> Iterator[str]:
    known = ", ".join(sorted(endpoints))
    for row, start_s in enumerate(columns["intended_start_s"], start=1):
        value = _number(float, start_s)
        if value is None or not 0 <= value < math.inf:
            yield f"row {row}: intended_start_s is {shown(start_s)}; it must be a number of seconds, 0 or more"
    for row, endpoint in enumerate(columns["endpoint"], start=1):
        if endpoint not in endpoints:
            yield f"row {row}: the entry has no endpoint {shown(endpoint)} (it has: {known})"
    for row, key in enumerate(columns.get("key", ()), start=1):
        value = _number(int, key)
        if value is None or not 0 <= value < _MOST_KEY:
            yield f"row {row}: key is {shown(key)}; it must be a whole number from 0, below {_MOST_KEY:,}"


def _number(kind: Callable[[Any], float], value: object) -> float | None:
    if isinstance(value, bool) or (kind is int and isinstance(value, float)):
        return None
    try:
        return kind(value)
    except (TypeError, ValueError):
        return None
