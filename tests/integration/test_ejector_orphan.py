"""A station that is killed with rejects armed: they fire all the same, and the board ends switched off."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

import pytest

from inspection.ejector.simulated import SimulatedBoard

BOUND_S = 30.0
CHANNELS = 4

STATION = """
import sys, time
from inspection.ejector.options import EjectorOptions, make_ejector
from inspection.part import Verdict

ejector = make_ejector(EjectorOptions(
    driver=sys.argv[1], port=sys.argv[2], heartbeat_channel=2, heartbeat_ms=100, pulse_ms=5, alive_timeout_ms=10_000,
    window_ms=10_000,
    board={"channels": 4},
))
ejector.open(lambda actuation: print(actuation.part, actuation.action, flush=True), lambda health: None)
print(ejector.pid, flush=True)
now_ns = time.monotonic_ns()
ejector.alive()
for part in range(10):
    due_ns = now_ns + 1_500_000_000 + part * 40_000_000
    ejector.expect(part, due_ns)
for part in (3, 6):
    ejector.decide(part, Verdict.PASS)
time.sleep(600)
"""


@pytest.mark.parametrize("driver", ["lcus", "modbus_rtu"])
def test_the_rejects_of_a_killed_station_fire(driver: str) -> None:
    """After `kill -9` each part without a PASS gets its pulse, the heartbeat ends, and every channel is left off."""
    board = SimulatedBoard(driver, CHANNELS)
    with subprocess.Popen([sys.executable, "-c", STATION, driver, board.port], stdout=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        told = [it.stdout.readline() for _ in range(3)]
        os.kill(it.pid, signal.SIGKILL)
        it.wait(BOUND_S)
    assert told[1:] == ["3 RELEASED\n", "6 RELEASED\n"]
    beats = len(board.edges(2))
    scheduler = os.pidfd_open(int(told[0]))
    assert select.select([scheduler], [], [], BOUND_S)[0], "the orphaned scheduler did not end"
    os.close(scheduler)
    assert len(board.pulses()) == 8
    assert beats > 1
    assert len(board.edges(2)) <= beats + 2  # one that was on its way, and the OFF at the end
    assert not any(board.level(channel) for channel in range(1, CHANNELS + 1))
    board.close()
