"""Hashes by which two Runs are known to be equal, or to have been sent the same requests."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

_SCHEDULE = ("request", "endpoint", "key", "intended_start_s")


def content_hash(tables: Mapping[str, pd.DataFrame], *, unless_empty: Collection[str] = ()) -> str:
    """Return the SHA-256 (hex) of the tables' names, columns and values, whatever their layout in memory.

    Args:
        unless_empty: tables that count only if they have rows, so that a Run without them keeps its fingerprint.
    """
    digest = hashlib.sha256()
    for name, frame in tables.items():
        if frame.empty and name in unless_empty:
            continue
        digest.update(f"{name}:{len(frame)}\n".encode())
        for column in frame.columns:
            _add(digest, str(column), frame[column])
    return digest.hexdigest()


def schedule_hash(requests: pd.DataFrame) -> str:
    """Return the SHA-256 (hex) of what one replication was sent: request, endpoint, key, time."""
    digest = hashlib.sha256()
    for column in _SCHEDULE:
        _add(digest, column, requests[column])
    return digest.hexdigest()


def _add(digest: hashlib._Hash, name: str, values: pd.Series[Any]) -> None:
    digest.update(f"{name}\n".encode())
    if isinstance(values.dtype, pd.CategoricalDtype):
        used = values.cat.remove_unused_categories()
        digest.update("\x00".join(used.cat.categories).encode())
        digest.update(np.ascontiguousarray(used.cat.codes, dtype="<i4").tobytes())
    elif isinstance(values.dtype, pd.BooleanDtype):
        digest.update(values.astype("Int8").fillna(-1).to_numpy(dtype="<i1").tobytes())
    elif pd.api.types.is_numeric_dtype(values.dtype):
        array = np.asarray(values)
        digest.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes())
    else:
        digest.update("\x00".join(values.tolist()).encode())
