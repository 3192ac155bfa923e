"""A column's declaration, and its values: converted to that type, or refused with place and reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, assert_never

import numpy as np
import pandas as pd

from lab.errors import DomainError

Kind = Literal["int32", "int64", "float64", "label", "text", "flag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: a ``label`` is text from a small set (a categorical), a ``flag`` a nullable boolean.

    A flag that is ``absent_is_false`` may be left out of the data as a whole: then no row has it; one that is
    ``absent_is_missing`` too: then it is missing in each.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    may_miss: bool = False
    allowed: tuple[str, ...] = ()
    absent_is_false: bool = False
    absent_is_missing: bool = False


def convert(values: Any, *, column: Column, where: str) -> Any:
    """Return the values as an array of the column's declared type.

    Args:
        values: any one-dimensional sequence.
        column: the declaration.
        where: what to call the column in an error, such as ``requests.end_s``.

    Raises:
        DomainError: a value is missing, not of the type, infinite, or outside the allowed words.
    """
    kind = column.kind
    match kind:
        case "int32" | "int64":
            return _whole(values, dtype=kind, where=where)
        case "float64":
            return _real(values, may_miss=column.may_miss, where=where)
        case "label":
            return _label(values, allowed=column.allowed, where=where)
        case "text":
            return _text(values, where=where)
        case "flag":
            return _flag(values, where=where)
        case _:
            assert_never(kind)


def _numeric(values: Any, where: str) -> np.ndarray[Any, Any]:
    array = np.asarray(values)
    if array.size == 0:
        return np.zeros(0)
    if array.dtype.kind not in "iuf":
        try:
            array = np.asarray(pd.to_numeric(pd.Series(list(values), dtype=object)), dtype=float)
        except (TypeError, ValueError) as error:
            raise DomainError(f"{where}: not numbers ({error}); give numbers in SI units") from error
    return array


def _whole(values: Any, *, dtype: str, where: str) -> np.ndarray[Any, Any]:
    array = _numeric(values, where)
    if array.dtype.kind == "f" and not np.all(np.mod(array, 1) == 0):  # NaN and infinities fail here too
        raise DomainError(f"{where}: holds fractions or missing values, but counts and indices are whole numbers")
    limits = np.iinfo(dtype)
    if array.size and (array.min() < limits.min or array.max() > limits.max):
        raise DomainError(f"{where}: {array.min()} to {array.max()} does not fit in {dtype}")
    return array.astype(dtype)


def _real(values: Any, *, may_miss: bool, where: str) -> np.ndarray[Any, Any]:
    array = _numeric(values, where).astype(np.float64) + 0.0  # + 0.0 turns -0.0 into 0.0: one zero, one hash
    missing = np.isnan(array)
    if missing.any():
        if not may_miss:
            raise DomainError(
                f"{where}: row {int(np.argmax(missing))} is missing; this column needs a value in each row"
            )
        array[missing] = np.nan  # one bit pattern for all missing values
    if np.isinf(array).any():
        raise DomainError(
            f"{where}: row {int(np.argmax(np.isinf(array)))} is infinite; leave it missing (NaN) if it is unknown"
        )
    return array


def _label(values: Any, *, allowed: tuple[str, ...], where: str) -> pd.Categorical:
    labels = pd.Categorical(values)
    if (labels.codes < 0).any():
        raise DomainError(
            f"{where}: row {int(np.argmax(labels.codes < 0))} is missing; this column needs a word in each row"
        )
    labels = labels.remove_unused_categories()
    words = [word for word in labels.categories if not isinstance(word, str)]
    if words:
        raise DomainError(f"{where}: {words[0]!r} is not text")
    strange = [word for word in labels.categories if allowed and word not in allowed]
    if strange:
        raise DomainError(f"{where}: {strange[0]!r} is not one of {', '.join(allowed)}")
    in_order = pd.Index(sorted(labels.categories), dtype="str")
    codes = in_order.get_indexer(labels.categories)[labels.codes] if len(labels) else labels.codes
    return pd.Categorical.from_codes(codes, categories=in_order)


def _text(values: Any, *, where: str) -> Any:
    series = pd.Series(values)
    for row, value in enumerate(series):
        if not isinstance(value, str):
            raise DomainError(f"{where}: row {row} holds {value!r}, which is not text")
    return series.astype("str").array


def _flag(values: Any, *, where: str) -> Any:
    try:
        return pd.array(list(values) if not hasattr(values, "dtype") else values, dtype="boolean")
    except (TypeError, ValueError) as error:
        raise DomainError(f"{where}: not true, false or missing ({error})") from error
