"""Giving way: what must not slow the line works at a lower priority than the line itself."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

NICENESS = 10


def give_way() -> None:
    """Lower the priority of the calling thread, which Linux counts thread by thread, and of threads that it starts.

    For work that takes milliseconds at a stretch, such as encoding an image: at the line's own priority it keeps a
    part waiting for as long. A thread in its way for the interpreter's lock waits off the processor, and so lets it
    finish.
    """
    thread = threading.get_native_id()
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, max(NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))
