"""A Run as a folder: one Parquet file a table, and run.json, which says what must be there.

The folder appears whole or not at all: it is written beside its place as ``.<name>.partial-<pid>``, synced to
the disk and then renamed. No time stamp goes into it, so the same Run gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lab.errors import DomainError, RunStorageError
from lab.runs.tables import TABLES, Table

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 2
_ADDED = {"aggregates": 2}  # tables that older versions lack: version 1 had none of these
RUN_FILE = "run.json"


def save_folder(
    folder: Path, *, header: Mapping[str, Any], tables: Mapping[str, pd.DataFrame], overwrite: bool
) -> None:
    """Write the tables and the header as a folder, whole or not at all.

    Args:
        folder: where; its parent is made if need be.
        header: what run.json holds beside the manifest; plain JSON values.
        tables: one frame for each of the declared tables.
        overwrite: replace an existing Run folder, once the new one is complete.

    Raises:
        RunStorageError: the folder exists, or the disk refuses.
    """
    folder = Path(os.path.abspath(folder))
    check_replaceable(folder, overwrite=overwrite)
    partial = folder.parent / f".{folder.name}.partial-{os.getpid()}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(folder)
        partial.mkdir()
        _fill(partial, header=header, tables=tables)
        _put_in_place(partial, folder)
    except OSError as error:
        raise RunStorageError(
            f"{folder}: the Run could not be written ({error.strerror or error}); nothing of it was kept. "
            "Free some space or choose a folder that may be written to"
        ) from error
    finally:
        # What cannot even be removed (its parent lost its permissions meanwhile) is a partial: nothing loads it.
        shutil.rmtree(partial, ignore_errors=True)


def check_replaceable(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that must not be written over: worth knowing before a long run, not after it.

    Only what has a run.json may be replaced, or an empty folder, and only if that is asked for.

    Raises:
        RunStorageError: it exists and must stay.
    """
    if not os.path.lexists(folder):
        return
    if not overwrite:
        raise RunStorageError(
            f"{folder}: exists already, and a Run is never mixed with another; choose another folder or pass "
            "overwrite=True (--overwrite)"
        )
    is_run = (
        folder.is_dir() and not folder.is_symlink() and ((folder / RUN_FILE).is_file() or not any(folder.iterdir()))
    )
    if not is_run:
        raise RunStorageError(
            f"{folder}: is not a Run folder (it has no {RUN_FILE}), so it will not be overwritten; choose "
            "another folder"
        )


def _fill(partial: Path, *, header: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> None:
    manifest: dict[str, Any] = {}
    for table in TABLES:
        file = partial / f"{table.name}.parquet"
        _write_parquet(file, table, tables[table.name])
        _sync(file)
        manifest[table.name] = {"file": file.name, "rows": len(tables[table.name]), "sha256": _sha256(file)}
    document = {"schema_version": SCHEMA_VERSION, **header, "tables": manifest}
    run_file = partial / RUN_FILE
    run_file.write_text(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    _sync(run_file)
    _sync(partial)


def _put_in_place(partial: Path, folder: Path) -> None:
    old = folder.parent / f".{folder.name}.replaced-{os.getpid()}"
    _remove(old)
    if os.path.lexists(folder):
        os.rename(folder, old)  # a folder cannot be renamed onto one that is not empty
    try:
        os.rename(partial, folder)
    except OSError:
        if os.path.lexists(old):
            os.rename(old, folder)
        raise
    _sync(folder.parent)
    _remove(old)


def _remove_stale(folder: Path) -> None:
    """Remove what killed processes left half-written of this Run; one that still writes keeps its own."""
    prefix = f".{folder.name}.partial-"
    for left in folder.parent.iterdir():
        pid = left.name.removeprefix(prefix)
        if left.name.startswith(prefix) and pid.isdigit() and (int(pid) == os.getpid() or not _lives(int(pid))):
            _remove(left)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it lives, as another user's
        return True
    return True


def _remove(folder: Path) -> None:
    if os.path.lexists(folder):
        shutil.rmtree(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_parquet(file: Path, table: Table, frame: pd.DataFrame) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = [_to_arrow(frame[column.name]) for column in table.columns]
    content = pa.Table.from_arrays(arrays, names=list(table.names))
    pq.write_table(content, file, compression="zstd", version="2.6", store_schema=False)


def _to_arrow(values: pd.Series[Any]) -> pa.Array:
    import pyarrow as pa

    if isinstance(values.dtype, pd.CategoricalDtype):
        return pa.DictionaryArray.from_arrays(
            pa.array(values.cat.codes.to_numpy(), type=pa.int32()),
            pa.array(list(values.cat.categories), type=pa.string()),
        )
    if pd.api.types.is_string_dtype(values.dtype):
        return pa.array(values.tolist(), type=pa.string())
    return pa.array(values, from_pandas=True)


def load_folder(folder: Path) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Return the header and the tables of a saved Run.

    Raises:
        RunStorageError: the folder is not a whole Run of a schema that this version reads; the message names
            the file.
    """
    folder = Path(folder)
    header = _read_header(folder)
    manifest = header.pop("tables", None)
    version = header.pop("schema_version")
    if not isinstance(manifest, dict):
        raise RunStorageError(
            f"{folder / RUN_FILE}: has no list of tables, so the Run cannot be checked for completeness; save it again"
        )
    there = [table for table in TABLES if _ADDED.get(table.name, 1) <= version]
    return header, {table.name: _read_table(folder, table, manifest.get(table.name)) for table in there}


def _read_header(folder: Path) -> dict[str, Any]:
    file = folder / RUN_FILE
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        what = f"has no {RUN_FILE}, so it is not a whole Run" if folder.is_dir() else "there is no such folder"
        raise RunStorageError(f"{folder}: {what}; name a folder that Run.save wrote") from error
    except (OSError, ValueError) as error:
        raise RunStorageError(f"{file}: cannot be read ({error}); save the Run again") from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version not in range(1, SCHEMA_VERSION + 1):
        raise RunStorageError(
            f"{file}: has schema_version {version!r}, but this version of the lab reads 1 to {SCHEMA_VERSION}; "
            "save the Run again with it"
        )
    return dict(document)


def _read_table(folder: Path, table: Table, entry: Any) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = folder / f"{table.name}.parquet"
    if not isinstance(entry, dict) or not {"rows", "sha256"} <= entry.keys():
        raise RunStorageError(f"{folder / RUN_FILE}: does not list the table {table.name}; save the Run again")
    try:
        digest = _sha256(file)
        labels = [column.name for column in table.columns if column.kind == "label"]
        content = pq.read_table(file, read_dictionary=labels)
        frame = content.to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)
    except FileNotFoundError as error:
        raise RunStorageError(f"{file}: is missing, so the Run is not whole; save it again") from error
    except (OSError, pa.ArrowException) as error:
        raise RunStorageError(f"{file}: is damaged or cannot be read ({error}); save the Run again") from error
    if len(frame) != entry["rows"]:
        raise RunStorageError(
            f"{file}: holds {len(frame)} rows, but {RUN_FILE} says {entry['rows']}; the Run is not whole, save it again"
        )
    if digest != entry["sha256"]:
        raise RunStorageError(
            f"{file}: was changed after it was saved (its SHA-256 differs from that in {RUN_FILE}); save the Run again"
        )
    try:
        return table.frame(frame)
    except DomainError as error:
        raise RunStorageError(f"{file}: {error}") from error
