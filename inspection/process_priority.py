"""Which of several stations on one machine is served first: the scheduler's niceness of the whole process."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Literal

from inspection.errors import StationStartError

Priority = Literal["high", "normal", "low"]

_STEPS: dict[Priority, int] = {"high": -10, "normal": 0, "low": 10}
"""Steps of niceness: one is a quarter more or less processor time than a competitor gets (sched(7))."""
_LOWEST = 19


def refusal(priority: Priority) -> str:
    """Return why this user may not have a priority, '' where it may; tried on a thread that ends at once."""
    answers: list[str] = []

    def attempt() -> None:
        try:
            _shift(0, _STEPS[priority])
        except PermissionError:
            answers.append(
                f"inference.priority {priority!r}: this user may not raise a priority — niceness "
                f"{_wanted(0, _STEPS[priority])} is needed — add to /etc/security/limits.conf: @dialout - nice -10, or "
                "to a systemd unit: LimitNICE=-10, or set priority to normal and that of other stations to low"
            )

    thread = threading.Thread(target=attempt, name="priority-probe")
    thread.start()
    thread.join()
    return "".join(answers)


def take_priority(priority: Priority) -> None:
    """Let every thread of this process have the priority, and those that they start; call it once.

    Steps count from the niceness that the process was started with. Where the process leads its session, as a service
    does, the session's group has it, too: the kernel shares processors among groups first. Processes that were started
    before, such as the ejector's, keep theirs. Raises StationStartError where this user may not.
    """
    if priority == "normal":
        return
    if text := refusal(priority):
        raise StationStartError(text)
    for task in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it has ended meanwhile
            _shift(int(task.name), _STEPS[priority])
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # a kernel without groups, or a container that hides them
            Path("/proc/self/autogroup").write_text(str(_STEPS[priority]))


def _wanted(thread: int, steps: int) -> int:
    return min(_LOWEST, os.getpriority(os.PRIO_PROCESS, thread) + steps)


def _shift(thread: int, steps: int) -> None:
    """Move one thread's niceness; 0 is the calling thread. Linux counts niceness thread by thread (setpriority(2))."""
    os.setpriority(os.PRIO_PROCESS, thread, _wanted(thread, steps))
