"""Which cameras are connected: each backend is asked in a process of its own, all at once and not for ever."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Sequence

from camera.backend_row import Backend
from camera.backends import all_rows, is_installed
from camera.device import Device
from camera.errors import CameraError
from camera.own_process.lane import LaneTimeoutError
from camera.own_process.process import DriverProcess

_EXIT_S = 0.2


def find_devices(backends: Collection[str] | None = None, timeout_s: float = 15.0) -> tuple[list[Device], list[str]]:
    """Return what the backends see, and what went wrong with those that saw nothing.

    backends: only these; absent: every one that is installed and has devices. An enumeration that hangs or crashes
    takes only its own process down, which is ended after `timeout_s`.
    """
    rows = [row for row in all_rows() if row.is_device and (backends is None or row.name in backends)]
    missing = [] if backends is None else [row.name for row in rows if not is_installed(row)]
    problems = [f"backend '{name}': is not installed; see `lineward cameras list`" for name in missing]
    problems += [f"backend '{name}': is unknown, or has no devices" for name in _unknown(backends, rows)]
    until_host_ns = time.monotonic_ns() + round(timeout_s * 1e9)
    asked: list[tuple[Backend, DriverProcess]] = []
    devices: list[Device] = []
    try:
        for row in rows:
            if is_installed(row):
                asked.append((row, DriverProcess()))
                with contextlib.suppress(EOFError):  # the answer will say so
                    asked[-1][1].lanes["life"].post("devices", row)
        for row, process in asked:
            try:
                devices += process.lanes["life"].answer(until_host_ns)
            except LaneTimeoutError:
                problems.append(f"backend '{row.name}': its search did not return within {timeout_s:g} s and was ended")
            except EOFError:
                process.wait_dead(_EXIT_S)
                problems.append(f"backend '{row.name}': the process of its search {process.obituary()}")
            except CameraError as error:
                problems.append(f"backend '{row.name}': {error}")
    finally:
        for _, process in asked:
            process.end()
    return devices, problems


def _unknown(backends: Collection[str] | None, rows: Sequence[Backend]) -> list[str]:
    known = {row.name for row in rows}
    return sorted(name for name in backends or () if name not in known)
