"""Measured runs of others: the logs of load tools, load balancers and tracers as Runs.

Rows that cannot be used are counted and told, never dropped in silence. Queries of URLs are not kept, and identifiers
in paths are replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import get_args

from lab.errors import UsageError
from lab.runs.importers.answers import Answer, Imported, Stop
from lab.runs.importers.documents import har, k6_json, otlp
from lab.runs.importers.kinds import Format
from lab.runs.importers.lines import common_log, haproxy_log
from lab.runs.importers.statistics import locust_statistics
from lab.runs.importers.tabular import jtl, k6, locust_requests


def import_file(
    path: Path | str, kind: Format, *, stamped_at: str = "start", duration_unit: str | None = None
) -> Imported:
    """Return what a file of somebody's measurement holds: call ``run()`` or ``schedule()`` on it.

    Args:
        path: the file.
        kind: its format.
        stamped_at: of JMeter's JTL alone: whether ``timeStamp`` is a sample's start or end.
        duration_unit: of the common log alone: the unit (s, ms, us) of the duration that ends each line.

    Raises:
        UsageError: the file is not of this format.
        NotEnoughData: it has no usable row.
    """
    readers: dict[str, Callable[[Path], Imported]] = {
        "locust": locust_requests,
        "k6": k6,
        "k6-json": k6_json,
        "jtl": partial(jtl, stamped_at=stamped_at),
        "har": har,
        "common": partial(common_log, duration_unit=duration_unit),
        "haproxy": haproxy_log,
        "otlp": otlp,
    }
    if kind not in readers:
        raise UsageError(f"{kind!r} is no format that can be imported (there are: {', '.join(get_args(Format))})")
    return readers[kind](Path(path))


__all__ = ["Answer", "Format", "Imported", "Stop", "import_file", "locust_statistics"]
