"""One stay of the reference backend: started as a subprocess, tied to us by a lifeline, always ended.

::

    start --> events (a JSON object a line) --> finished --> we read the output --> lifeline closed --> gone
                 |                                              ^
                 `-- failed, died, interrupted -----------------+

The backend watches its standard input. However this process ends, even by SIGKILL, that pipe closes, and the
backend takes its servers and its temporary folder away. If the backend itself is killed, its servers die with
it and we remove the folder that it had told us of.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from lab.errors import LabError, MeasurementFailed, UsageError

_FAREWELL_S = 30.0
_USAGE = 2

Event = Mapping[str, Any]


@contextmanager
def backend_session(
    deployment: Mapping[str, Any], schedule: pa.Table, *, repeats: int, options: tuple[str, ...] = ()
) -> Iterator[Iterator[Event]]:
    """Yield the events of a reference backend that runs a schedule; it is gone when the block ends.

    Inputs are handed over in memory files, so that nothing of ours lies on the disk whatever happens.

    Raises:
        MeasurementFailed: it could not start, or one of its parts died.
        UsageError: the binary of a real server was not found, or the port that was asked for is taken.
    """
    with ExitStack() as held:
        try:
            log = held.enter_context(tempfile.TemporaryFile())  # nameless: it cannot be left behind
        except OSError as error:
            raise UsageError(
                f"no temporary file can be made ({error}); free some room, or name a usable folder by TMPDIR"
            ) from error
        files = {"--deployment": json.dumps(deployment).encode(), "--schedule": _parquet(schedule)}
        inputs = {flag: _memory_file(flag, content) for flag, content in files.items()}
        for descriptor in inputs.values():
            held.callback(os.close, descriptor)
        command = [sys.executable, "-m", "reference_backend", "run", "--lifeline", "--repeats", str(repeats), *options]
        for flag, descriptor in inputs.items():
            command += [flag, f"/dev/fd/{descriptor}"]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=tuple(inputs.values()),
            start_new_session=True,  # Ctrl-C is ours to pass on, by closing the lifeline
            text=True,
        )
        session = _Session(process, log)
        held.callback(session.end)
        yield session.events()


class _Session:
    def __init__(self, process: subprocess.Popen[str], log: IO[bytes]) -> None:
        self._process = process
        self._log = log
        self._folder: Path | None = None

    def events(self) -> Iterator[Event]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not line.endswith("\n"):
                break  # it was killed in the middle of a word
            event: Event = json.loads(line)
            if event["event"] == "workdir":
                self._folder = Path(event["path"])
            elif event["event"] == "failed":
                raise _failure(event)
            yield event
            if event["event"] == "finished":
                return
        code = self._process.wait()
        raise MeasurementFailed(
            f"the reference backend ended unexpectedly (exit code {code}); its last words:\n{self._last_words()}"
        )

    def _last_words(self) -> str:
        self._log.seek(0)
        return b"\n".join(self._log.read().splitlines()[-20:]).decode(errors="replace") or "(none)"

    def end(self) -> None:
        """Close the lifeline and wait until everything is gone; kill only if that takes far too long."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(_FAREWELL_S)
        except subprocess.TimeoutExpired:
            process.kill()  # its servers are bound to die with it
            process.wait()
        process.stdout.close()
        if self._folder is not None:
            _remove(self._folder)


def _remove(folder: Path) -> None:
    """Remove the folder of a backend that was killed; its dying servers may write to it a little longer."""
    deadline_s = time.monotonic() + _FAREWELL_S
    while folder.exists() and time.monotonic() < deadline_s:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            time.sleep(0.1)


def _failure(event: Event) -> LabError:
    words = f"{event['where']}: {event['what']}. {event['why']}. {event['do']}."
    return UsageError(words) if event["exit_code"] == _USAGE else MeasurementFailed(words)


def _memory_file(name: str, content: bytes) -> int:
    descriptor = os.memfd_create(name)
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
    return descriptor


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue())
