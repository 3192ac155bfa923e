"""The schedule of requests that the generator sends: read from Parquet, checked before anything starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS = ("request", "endpoint", "key", "intended_start_s", "demands", "backoffs")
# A drawn number in (0, 1) for each attempt: whether a client's throttle lets it through. Only there if one does.
COINS = "coins"


class BadSchedule(ValueError):
    """The schedule cannot be sent as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One request of the schedule; ``demands_s`` holds those of all its attempts, one attempt after another.

    ``coins`` holds one drawn number for each attempt where the client has a throttle, and nothing elsewhere.
    """

    request: int
    endpoint: str
    key: int
    intended_start_s: float
    demands_s: tuple[float, ...]
    backoffs_s: tuple[float, ...]
    coins: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The requests in the order of their intended starts, and how long the run lasts."""

    duration_s: float
    requests: tuple[Planned, ...]


def read_schedule(path: Path, *, demands_of: dict[str, int], attempts: int, coins: bool = False) -> Schedule:
    """Return the schedule in a Parquet file, in the order in which it is to be sent.

    Args:
        path: the file; its metadata must give ``duration_s``.
        demands_of: the number of demands an attempt at each endpoint carries.
        attempts: how many attempts a request may take.
        coins: whether the client has a throttle, which needs a coin for each of them.

    Raises:
        BadSchedule: it cannot be read, or does not fit the deployment.
    """
    try:
        table = pq.read_table(path, use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise BadSchedule(f"it cannot be read as Parquet ({error})") from error
    wanted = (*COLUMNS, COINS) if coins else COLUMNS
    missing = [column for column in wanted if column not in table.column_names]
    if missing:
        raise BadSchedule(f"it lacks the columns {', '.join(missing)}")
    written = (table.schema.metadata or {}).get(b"duration_s")
    duration_s = _number(written.decode()) if written is not None else math.nan
    if not 0.0 < duration_s < math.inf:
        raise BadSchedule("its metadata has no duration_s above zero")
    columns = [table.column(name).to_pylist() for name in COLUMNS]
    columns.append(table.column(COINS).to_pylist() if coins else [()] * len(table))
    requests = [
        Planned(
            request=request,
            endpoint=endpoint,
            key=key,
            intended_start_s=start,
            demands_s=tuple(demands),
            backoffs_s=tuple(backoffs),
            coins=tuple(coin),
        )
        for request, endpoint, key, start, demands, backoffs, coin in zip(*columns, strict=True)
    ]
    _check(requests, demands_of=demands_of, attempts=attempts, duration_s=duration_s)
    short = next((planned for planned in requests if coins and len(planned.coins) != attempts), None)
    if short is not None:
        raise BadSchedule(f"request {short.request}: it has {len(short.coins)} coins for {attempts} attempts")
    return Schedule(
        duration_s=duration_s, requests=tuple(sorted(requests, key=lambda planned: planned.intended_start_s))
    )


def write_schedule(path: Path, schedule: Schedule) -> None:
    """Write a schedule to a Parquet file, as :func:`read_schedule` reads it."""
    rows = [
        {
            "request": planned.request,
            "endpoint": planned.endpoint,
            "key": planned.key,
            "intended_start_s": planned.intended_start_s,
            "demands": list(planned.demands_s),
            "backoffs": list(planned.backoffs_s),
            COINS: list(planned.coins),
        }
        for planned in schedule.requests
    ]
    fields = [
        ("request", pa.int64()),
        ("endpoint", pa.string()),
        ("key", pa.int64()),
        ("intended_start_s", pa.float64()),
        ("demands", pa.list_(pa.float64())),
        ("backoffs", pa.list_(pa.float64())),
        (COINS, pa.list_(pa.float64())),
    ]
    pq.write_table(
        pa.Table.from_pylist(rows, schema=pa.schema(fields, metadata={"duration_s": repr(schedule.duration_s)})),
        path,
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _check(requests: list[Planned], *, demands_of: dict[str, int], attempts: int, duration_s: float) -> None:
    """Raise on the first request that could not be sent."""
    if not requests:
        raise BadSchedule("it holds no request")
    if len({planned.request for planned in requests}) != len(requests):
        raise BadSchedule("two requests have the same id, so their traces could not be told apart")
    for planned in requests:
        where = f"request {planned.request}"
        if planned.endpoint not in demands_of:
            raise BadSchedule(f"{where}: the entry has no endpoint {planned.endpoint!r}")
        if not 0.0 <= planned.intended_start_s <= duration_s:
            raise BadSchedule(
                f"{where}: it starts at {planned.intended_start_s} s, outside the {duration_s:g} s of the run"
            )
        if len(planned.demands_s) != attempts * demands_of[planned.endpoint]:
            raise BadSchedule(
                f"{where}: it has {len(planned.demands_s)} demands, but {attempts} attempts at {planned.endpoint!r} "
                f"need {attempts} x {demands_of[planned.endpoint]}"
            )
        if len(planned.backoffs_s) != attempts - 1:
            raise BadSchedule(
                f"{where}: it has {len(planned.backoffs_s)} backoffs; between {attempts} attempts lie {attempts - 1}"
            )
        if not all(0.0 <= value < math.inf for value in (*planned.demands_s, *planned.backoffs_s)):
            raise BadSchedule(f"{where}: a demand or backoff is negative or not finite")
