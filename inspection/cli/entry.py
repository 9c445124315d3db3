"""The `lineward` command from its first moment: Ctrl-C ends it quietly with 130, while it still loads, too."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

INTERRUPTED = 130
_seen = False


def main() -> None:
    """Run the command line; no moment of Ctrl-C shows a traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else whoever started it wants it ignored
        signal.signal(signal.SIGINT, _leave)
    from inspection.cli.main import main as run

    try:
        run()
    except (Exception, KeyboardInterrupt):
        if not _seen:
            raise
        sys.exit(INTERRUPTED)


def is_loaded() -> None:
    """From here on Ctrl-C is a KeyboardInterrupt, so that whatever the command has opened is closed again."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, _interrupt)


def _leave(*_: Any) -> None:
    """End while modules are loaded, some of which make other errors of a KeyboardInterrupt; nothing is open yet."""
    os._exit(INTERRUPTED)


def _interrupt(*_: Any) -> None:
    global _seen
    _seen = True
    raise KeyboardInterrupt
