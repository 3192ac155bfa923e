"""The command line: tables or JSON on stdout, words and progress on stderr, exit codes that scripts can use.

0: done, or passed. 1: a claim failed (objectives with ``--check``, a comparison's margins). 2: wrong use.
3: inconclusive (the measurement is not valid, or broke down).
"""

from __future__ import annotations

import signal
import sys
import warnings
from types import FrameType
from typing import NoReturn

from typer.exceptions import TyperException

from lab.cli.commands import app
from lab.cli.options import INCONCLUSIVE, USAGE
from lab.cli.output import say
from lab.errors import LabError, MeasurementFailed

_INTERRUPTED, _TERMINATED = 130, 143


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGTERM, _terminated)
    warnings.showwarning = _show_warning
    sys.exit(_outcome())


def _outcome() -> int:
    """Run the command and return the exit code."""
    try:
        code = app(prog_name="lab", standalone_mode=False)
    except LabError as error:
        say(f"error: {error}")
        return INCONCLUSIVE if isinstance(error, MeasurementFailed) else USAGE
    except TyperException as error:  # wrong words on the command line
        say(f"error: {error.format_message()} (lab --help, or lab COMMAND --help, tells more)")
        return USAGE
    if code == _INTERRUPTED:  # Typer has caught the KeyboardInterrupt
        say("interrupted; everything that was started has been stopped")
    return code if isinstance(code, int) else 0


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    """Leave by the ordinary way, so that what was started is stopped."""
    sys.exit(_TERMINATED)


def _show_warning(message: Warning | str, *args: object, **kwargs: object) -> None:
    say(f"warning: {message}")
