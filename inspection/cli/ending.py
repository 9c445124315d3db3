"""How a command that runs for long hears that it is to end."""

from __future__ import annotations

import signal
import threading


def told_to_end() -> threading.Event:
    """Return what Ctrl-C and SIGTERM set from now on, instead of ending the process. For the main thread."""
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    return over
