"""Running a whole station in a test, and waiting for what other threads and processes do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from inspection.ejector.simulated import SimulatedBoard
from inspection.records.reader import RecordReader
from inspection.records.record import StoredRecord
from inspection.simulation.account import FarEnd
from inspection.station import Station

GOES_ON = {"pulse_outside_window": "warn", "pulse_failed": "warn"}
"""For tests of other things: on a busy machine a pulse may be late, which by default stops the line."""


def wait_until(holds: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Look at a condition until it holds; what it looks at changes in other processes."""
    deadline = time.monotonic() + timeout_s
    waiter = threading.Event()
    while not holds():
        assert time.monotonic() < deadline, "the condition did not come to hold"
        waiter.wait(0.02)


def run_to_the_end(station: Station) -> list[StoredRecord]:
    """Run a finite source wholly and return the records of the run, read back from the store."""
    station.open()
    try:
        station.start_line()
        wait_until(lambda: station.finished, 120.0)
        run = station.memory.run
    finally:
        station.close()
    return RecordReader(station.config.records.dir).find(run=run, limit=10_000, newest_first=False)


def far_end(station: Station, board: SimulatedBoard) -> FarEnd:
    """What the board saw on the reject channel; how long the pty takes on a busy machine is not the station's doing."""
    return FarEnd([pulse.on_host_ns for pulse in board.pulses(1)], station.ejector.lead_ns, window_ns=10**10)
