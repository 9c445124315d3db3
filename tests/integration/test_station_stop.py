"""Stopping the line: the heartbeat ends, the belt runs out, and only then nobody follows parts any more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from challenged import Belt, belt_config
from station_runs import wait_until
from tiny_bundle import write_tiny_bundle

from inspection.control import State, StateError
from inspection.ejector.simulated import SimulatedEjector
from inspection.records.reader import RecordReader
from inspection.service import Service
from inspection.station import Station

HEARTBEAT = 2
RUN_OUT_S = 60.0  # the longest that may be configured: nothing here waits for it


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Station]:
    """A station on an endless belt that takes a minute to stand."""
    bundle = write_tiny_bundle(tmp_path / "tiny")
    config = belt_config(
        tmp_path / "records", str(bundle), reactions={"run_out_s": RUN_OUT_S}, challenge={"required": False}
    )
    service = Service(config)
    service.station.scene = Belt(bad=False)
    with service:
        service.station.start_line()
        yield service.station


def stopping(station: Station) -> threading.Thread:
    """Let another thread stop the line, as the API, the PLC and a fault do."""
    assert isinstance(station.ejector, SimulatedEjector)
    wait_until(lambda: station.triggers > 0 and station.ejector.health().heartbeat_running)
    stop = threading.Thread(target=station.stop_line, daemon=True)
    stop.start()
    wait_until(lambda: station.winding_down and not station.ejector.health().heartbeat_running)
    return stop


def test_parts_are_followed_while_the_belt_runs_out(running: Station) -> None:
    """The heartbeat has ended, for good; parts that trigger now are still inspected and recorded."""
    stop = stopping(running)
    assert isinstance(running.ejector, SimulatedEjector)
    beats = len(running.ejector.board.edges(HEARTBEAT))
    seen = running.triggers
    wait_until(lambda: running.counters.records > seen)
    assert len(running.ejector.board.edges(HEARTBEAT)) == beats > 0
    with pytest.raises(StateError, match="the line is being stopped"):
        running.trigger_once()
    assert stop.is_alive()


def test_the_end_of_the_process_does_not_wait_for_the_belt(running: Station) -> None:
    """Closing ends a stop that waits for the belt; what had triggered until then has its record."""
    stop = stopping(running)
    running.hurry()
    stop.join(RUN_OUT_S / 2)
    assert not stop.is_alive()
    assert running.state is State.READY
    assert running.counters.records == running.triggers


def test_a_station_that_is_closed_meanwhile_hurries(running: Station) -> None:
    """`close` of the station does the same by itself, and every part of the run is in the records."""
    stop = stopping(running)
    close = threading.Thread(target=running.close, daemon=True)
    close.start()
    close.join(RUN_OUT_S / 2)
    assert not close.is_alive()
    assert not stop.is_alive()
    records = RecordReader(running.config.records.dir).find(run=running.memory.run, limit=100_000)
    assert len(records) == running.triggers > 0


def test_a_hurry_without_a_stop_shortens_none_that_follows(running: Station) -> None:
    """Only a wait that is under way is cut short: the next stop gives the belt its time."""
    running.hurry()
    stop = stopping(running)
    seen = running.triggers
    wait_until(lambda: running.triggers > seen)
    assert stop.is_alive()
