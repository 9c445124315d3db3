"""The driver's process: `python -m camera.own_process.child JSON-of-file-numbers`, begun by the station."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Mapping

from camera.own_process.driver_side import DriverSide
from camera.own_process.grabbing import Grabbing
from camera.own_process.lane import LANES, ServedLane
from camera.own_process.life import LifeSigns


def die_with(lifeline: int) -> None:
    """Have the kernel end this process at the moment when the station's end of a pipe is gone.

    A thread that reads would not do: it never runs while a driver hangs with the interpreter's lock held. Nor would
    PR_SET_PDEATHSIG: it counts the death of the thread that began this process, not of its process (prctl(2)).
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    gone = select.poll()
    gone.register(lifeline, 0)
    if gone.poll(0):  # before it could be armed
        os._exit(1)


def main(files: Mapping[str, int]) -> None:
    """Serve the station until it hangs up."""
    for number in (signal.SIGINT, signal.SIGTERM):  # for the station to follow; this process ends with it
        signal.signal(number, signal.SIG_IGN)
    for fd in files.values():
        os.set_inheritable(fd, False)
    die_with(files["lifeline"])
    grabbing = Grabbing(socket.socket(fileno=files["frames"]), LifeSigns(files["life_signs"]), sys.stderr.fileno())
    side = DriverSide(grabbing)
    threading.Thread(target=grabbing.run, name="grab", daemon=True).start()
    lanes = {name: ServedLane(socket.socket(fileno=files[name]), calls) for name, calls in side.lanes().items()}
    for name in LANES[1:]:
        threading.Thread(target=lanes[name].serve, name=name, daemon=True).start()
    lanes["life"].serve()
    os._exit(0)  # the device was released; libraries that crash while they are unloaded shall not matter


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
