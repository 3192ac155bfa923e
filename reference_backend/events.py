"""Progress for machines: one JSON object a line on standard output."""

from __future__ import annotations

import json
import os
import sys
from typing import TextIO


class Events:
    """Writes events; remembers when nobody reads them any more."""

    def __init__(self, *, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stdout
        self.reader_is_gone = False

    def emit(self, event: str, **fields: object) -> None:
        """Write one event with its fields."""
        if self.reader_is_gone:
            return
        try:
            self._stream.write(json.dumps({"event": event, **fields}) + "\n")
            self._stream.flush()
        except BrokenPipeError:
            # The parent died. Whoever watches this flag tears down; the interpreter's flush at exit must not fail too.
            self.reader_is_gone = True
            if self._stream is sys.stdout:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
