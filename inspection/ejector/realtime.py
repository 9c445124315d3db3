"""Making a process punctual: real-time priority where permitted, exact timers, no garbage collection."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path

PRIORITY = 20


def become_punctual() -> bool:
    """Ask for SCHED_FIFO, timers without slack and no garbage collector; return whether the priority was granted.

    Without the permission (CAP_SYS_NICE or an rtprio limit) the process goes on at normal priority.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    _without_timer_slack()
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError:
        return False
    return True


def _without_timer_slack() -> None:
    """Set the timer slack of the main thread to 1 ns, as prctl(PR_SET_TIMERSLACK) does; a real-time task has none."""
    try:
        Path("/proc/self/timerslack_ns").write_text("1")
    except OSError:
        return


def sleep_until(host_ns: int, spin_ns: int) -> None:
    """Sleep until a moment of the monotonic clock, the last `spin_ns` of it awake."""
    left_ns = host_ns - time.monotonic_ns() - spin_ns
    if left_ns > 0:
        time.sleep(left_ns / 1e9)
    while time.monotonic_ns() < host_ns:
        pass
