"""A real station through its states: one part, abort, halt, reset, ids in the records, simulation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from challenged import Belt, belt_config
from station_runs import wait_until
from tiny_bundle import write_tiny_bundle

from inspection.control import JobRequest, State, StateError
from inspection.part import Reason, Verdict
from inspection.records.reader import RecordReader
from inspection.records.record import StoredRecord
from inspection.state_machine import Cause, is_legal
from inspection.station import Station


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    """A station on an endless belt of good parts, its line stopped."""
    bundle = write_tiny_bundle(tmp_path / "tiny")
    station = Station(
        belt_config(tmp_path / "records", str(bundle), challenge={"required": False}, reactions={"run_out_s": 0.3})
    )
    station.scene = Belt(bad=False)
    station.open()
    yield station
    station.close()
    seen = station.wait_state(0, 0.0)
    assert all(is_legal(change.before, change.cause, change.after) for change in seen)
    assert seen[-1].after is State.HALTED


def records_of(station: Station) -> list[StoredRecord]:
    """Return the records of the station's run, oldest first."""
    assert station.memory.flush(10.0)
    reader = RecordReader(station.config.records.dir)
    try:
        return reader.find(run=station.memory.run, limit=10_000, newest_first=False)
    finally:
        reader.close()


def test_a_single_execution_inspects_one_part_and_rejects_the_others(station: Station) -> None:
    """The next part passes; those behind it are rejected, however good; the station is READY by itself."""
    seen = station.states.sequence
    with pytest.raises(StateError, match="counts on recipe 'bottle' — 'station' is prepared"):
        station.start_single(JobRequest(recipe="bottle"))
    job = station.start_single(JobRequest(meas_id="M-1", part_id="P-77", recipe="station"))
    wait_until(lambda: station.state is State.READY)
    causes = [change.cause for change in station.wait_state(seen, 0.0)]
    assert causes == [Cause.START_SINGLE, Cause.JOB_DONE]
    first, *others = records_of(station)
    assert (first.verdict, first.reason) == (Verdict.PASS, Reason.NONE)
    assert first.extra["job"] == {"job_id": job, "meas_id": "M-1", "part_id": "P-77"}
    assert {record.verdict for record in others} <= {Verdict.REJECT}
    assert {record.reason for record in others} <= {Reason.SYSTEM, Reason.LATE}
    assert others, "the belt brings a part every 100 ms, and the part travels for 600"
    assert station.start_continuous() != job


def test_a_single_execution_can_be_stopped_before_its_part_comes(tmp_path: Path) -> None:
    """No part comes: Stop ends it, and the station starts again as ever."""
    bundle = write_tiny_bundle(tmp_path / "tiny")
    slow = {"speed_mm_s": 600.0, "pitch_mm": 3000.0}
    station = Station(
        belt_config(
            tmp_path / "records", str(bundle), camera=slow, challenge={"required": False}, reactions={"run_out_s": 0.0}
        )
    )
    station.scene = Belt(bad=False)
    station.open()
    try:
        station.start_single()
        assert station.state is State.SINGLE_EXECUTION
        station.stop()
        assert station.state is State.READY
        with pytest.raises(StateError, match=r"STOP in state READY — .* — start the line"):
            station.stop()
        station.start_line()
        assert station.state is State.CONTINUOUS_EXECUTION
    finally:
        station.close()


def test_after_an_abort_nothing_gets_a_pass(station: Station) -> None:
    """Parts that trigger while the belt runs out are rejected; a new start lets good parts pass again."""
    station.start_continuous(JobRequest(job_id="J-1"))
    wait_until(lambda: station.counters.passed > 2)
    station.flow.shut()  # what abort does first; the parts born from here on are known so
    first = station.triggers + 1
    station.abort()
    assert station.state is State.READY
    later = [record for record in records_of(station) if record.part >= first]
    assert later
    assert {record.verdict for record in later} == {Verdict.REJECT}
    assert {record.extra["job"]["job_id"] for record in later} == {"J-1"}
    passed = station.counters.passed
    station.start_line()
    wait_until(lambda: station.counters.passed > passed)
    assert "job" not in records_of(station)[-1].extra


def test_a_halted_station_takes_no_start_until_it_is_reset_and_prepared(station: Station) -> None:
    """HALT from a running line; RESET; then the way by automatic mode, and no start without a recipe."""
    station.start_line()
    wait_until(lambda: station.triggers > 0)
    station.halt("guard open")
    assert station.state is State.HALTED
    assert not station.ejector.health().heartbeat_running
    with pytest.raises(StateError, match="START_CONTINUOUS in state HALTED — READY allowed — reset the station"):
        station.start_line()
    station.reset("guard closed")
    assert station.state is State.PREOPERATIONAL
    station.select_mode_automatic()
    assert station.state is State.INITIALIZED
    with pytest.raises(StateError, match="prepare a recipe"):
        station.start_line()
    assert [(change.cause, change.detail) for change in station.wait_state(0, 0.0)][-3:] == [
        (Cause.HALT, "guard open"),
        (Cause.RESET, "guard closed"),
        (Cause.SELECT_MODE_AUTOMATIC, ""),
    ]


def test_simulated_parts_are_marked_and_the_mode_changes_only_at_a_stand(station: Station) -> None:
    """The mark is in each record; a running line refuses the change."""
    station.simulation_mode(True)
    station.start_line()
    with pytest.raises(StateError, match="SIMULATION_MODE in state CONTINUOUS_EXECUTION"):
        station.simulation_mode(False)
    wait_until(lambda: station.counters.records > 0)
    station.stop()
    before = records_of(station)
    assert all(record.extra["is_simulated"] for record in before)
    station.simulation_mode(False)
    station.start_line()
    wait_until(lambda: station.counters.records > len(before))
    station.stop()
    assert not any("is_simulated" in record.extra for record in records_of(station)[len(before) :])


def test_a_single_execution_triggers_a_camera_that_waits_for_software(tmp_path: Path) -> None:
    """One start, one picture, one record; the next start makes the next one."""
    bundle = write_tiny_bundle(tmp_path / "tiny")
    config = belt_config(
        tmp_path / "records",
        str(bundle),
        camera={"trigger": "software"},
        challenge={"required": False},
        reactions={"run_out_s": 0.0},
    )
    station = Station(config)
    station.scene = Belt(bad=False)
    station.open()
    try:
        for count in (1, 2):
            job = station.start_single(JobRequest(part_id=f"P-{count}"))
            wait_until(lambda: station.state is State.READY)
            records = records_of(station)
            assert len(records) == count
            assert records[-1].extra["job"] == {"job_id": job, "part_id": f"P-{count}"}
            assert records[-1].verdict is Verdict.PASS
    finally:
        station.close()
