"""What happens around the station: its page dies, its clock is set, its cable is pulled, its disk fills up."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from real_run import (
    REJECT,
    RealRun,
    beats_between,
    crossings_missed,
    promises_broken,
    read_records,
    relay_board,
    station_values,
    unjudged_passes,
)
from stepped_clock import SteppedClock
from tiny_bundle import write_tiny_bundle

from inspection.ejector.simulated import SimulatedBoard
from inspection.part import EjectorAction, Reason, Verdict
from inspection.records.record import ImageState, StoredRecord

RATE_HZ = 20.0
BRIGHT, DARK = 230, 20
HOUR_S = 3600.0
DISK_MB = 24
LOW_MB = 8
SECOND_NS = 1_000_000_000

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="A FULL DISK IS NOT TESTED: mounting a small one needs root")


@dataclass(slots=True)
class Story:
    """One `lineward run` with all of it in turn, and what was left. Moments in host ns."""

    board: SimulatedBoard
    records: list[StoredRecord]
    page_url: str = ""
    page_restarted: bool = False
    stepped_host_ns: tuple[int, int] = (0, 0)
    pulled: tuple[int, int] = (0, 0)
    lost_host_ns: int = 0
    held: dict[str, Any] | None = None
    still_there: tuple[str, ...] = ()
    confirmed: tuple[str, ...] = ()
    full: tuple[int, int] = (0, 0)
    said: str = ""


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A real file system of its own, small enough to be filled."""
    place = tmp_path_factory.mktemp("disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, small_disk: Path) -> Story:
    """Kill the page, set the clock on and back, pull the cable, fill the disk; the port's fault is held."""
    folder = tmp_path_factory.mktemp("run")
    bundle = write_tiny_bundle(folder / "tiny")
    clock = SteppedClock(folder)
    with relay_board() as board:
        values = station_values(
            folder, bundle, board,
            camera={"backend": "replay", "path": _belt(folder / "parts"), "truth_from_folder": True,
                    "rate_hz": RATE_HZ, "loop": True},
            page={"enabled": True, "port": 0},
            records={"dir": small_disk, "min_free_mb": LOW_MB, "image_format": "png"},
            reactions={"ejector_port_gone": "hold"},
        )  # fmt: skip
        told = Story(board, [])
        with RealRun(folder, values, environment=clock.environment) as station:
            station.wait_more("records", 10)
            _fill_the_disk(station, small_disk, told)
            _set_the_clock(station, clock, told)
            _kill_the_page(station, told)
            _pull_the_cable(station, told)
            _make_room(station, small_disk)
            assert station.end() == 0
            told.said = station.said
        told.records = read_records(small_disk)
    return told


def _belt(folder: Path) -> Path:
    """Ten parts, every third one bright, which is defective."""
    files = []
    for number in range(10):
        kind = "bad" if number % 3 == 0 else "good"
        (folder / kind).mkdir(parents=True, exist_ok=True)
        file = folder / kind / f"{number:02d}.png"
        cv2.imwrite(str(file), np.full((48, 64), BRIGHT if kind == "bad" else DARK, np.uint8))
        files.append(str(file))
    (folder / "parts.txt").write_text("\n".join(files))
    return folder / "parts.txt"


def _set_the_clock(station: RealRun, clock: SteppedClock, told: Story) -> None:
    began = time.monotonic_ns()
    clock.step(HOUR_S)
    station.wait_counter("clock_steps", 1)
    station.wait_alarm("CLOCK_STEPPED")
    station.wait_more("passed", 5)
    clock.step(-2 * HOUR_S)
    station.wait_counter("clock_steps", 2)
    station.wait_more("passed", 5)
    told.stepped_host_ns = (began, time.monotonic_ns())


def _kill_the_page(station: RealRun, told: Story) -> None:
    told.page_url = next(line.split()[1] for line in station.said.splitlines() if line.startswith("page"))
    station.page().kill()
    told.page_restarted = "PAGE_RESTARTED" in station.wait_alarm("PAGE_RESTARTED")["alarms"]
    with urllib.request.urlopen(told.page_url, timeout=60) as answer:
        told.page_restarted &= answer.status == 200
    station.wait_more("passed", 5)


def _pull_the_cable(station: RealRun, told: Story) -> None:
    client = station.client()
    began = time.monotonic_ns()
    told.board.unplug()
    station.wait_alarm("EJECTOR_LOST")
    told.lost_host_ns = time.monotonic_ns()
    told.still_there = tuple(client.confirm_alarms("the test").still_there)
    station.wait_more("records", 15)
    told.board.replug()
    ended = time.monotonic_ns()
    told.pulled = (began, ended)
    station.wait_counter("ejector_reconnects", 1)
    station.wait_more("records", 20)
    told.held = station.statuses[-1]
    told.confirmed = tuple(client.confirm_alarms("the test").confirmed)
    client.close()
    station.wait_state("CONTINUOUS_EXECUTION")
    station.wait_more("passed", 5)


def _fill_the_disk(station: RealRun, disk: Path, told: Story) -> None:
    """Leave no room, then a little: enough for records, too little for images."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        seen = station.wait_alarm("RECORDS_TROUBLE")
        began = time.monotonic_ns()
        assert seen["state"] == "ERROR"
        before = seen["counters"]["system_rejects"]
        station.wait(lambda status: status["counters"]["system_rejects"] > before + 15)
        ended = time.monotonic_ns()
        file.truncate(file.tell() - (LOW_MB - 2) * 1_000_000)
    told.full = (began, ended)
    station.wait_alarm("IMAGES_GIVEN_UP")
    station.wait_state("CONTINUOUS_EXECUTION")
    station.wait_more("passed", 5)


def _make_room(station: RealRun, disk: Path) -> None:
    """Little room has been an alarm, and the line ran; with room again images are kept."""
    assert station.wait_alarm("DISK_LOW")["state"] == "CONTINUOUS_EXECUTION"
    (disk / "filler").unlink()
    station.wait(lambda status: "IMAGES_GIVEN_UP" not in status["alarms"])


def test_fault_surroundings_cost_no_part_its_record_or_verdict(story: Story) -> None:
    """Through all of it: one record for each crossing, none passed unjudged, and no pulse at a wrong part."""
    assert crossings_missed(story.records, RATE_HZ) == []
    assert unjudged_passes(story.records) == []
    assert [r.part for r in story.records if r.truth == "bad" and r.verdict is Verdict.PASS] == []
    assert promises_broken(len(story.records), story.records, story.board) == []


def test_fault_page_died(story: Story) -> None:
    """A killed page is back on its port, and an alarm says so; the line did not notice."""
    assert story.page_restarted


def test_fault_clock_stepped(story: Story) -> None:
    """The clock was set an hour on and two back: an alarm says so, verdicts and pulses went on, and the records' times
    have the order of the parts."""
    began, ended = story.stepped_host_ns
    during = [record for record in story.records if began <= record.trigger_host_ns <= ended]
    assert {record.verdict for record in during} == {Verdict.PASS, Verdict.REJECT}
    by_part = sorted(story.records, key=lambda record: record.part)
    walls = [record.trigger_wall_ns for record in by_part]
    assert walls == sorted(walls)
    assert walls[-1] - walls[0] == by_part[-1].trigger_host_ns - by_part[0].trigger_host_ns


def test_fault_ejector_port_gone(story: Story) -> None:
    """Cable pulled: parts are FAILED, the heartbeat cannot beat; plugged in again the heartbeat beats, but the fault is
    held: nothing passes until it is confirmed, which is no use while the cable is out, and is logged."""
    began, ended = story.pulled
    gone = [r for r in story.records if began + SECOND_NS // 5 < r.due_host_ns - SECOND_NS // 20 < ended]
    assert gone
    assert EjectorAction.FAILED in {record.ejector_action for record in gone}
    assert not {EjectorAction.FIRED, EjectorAction.FIRED_LATE} & {record.ejector_action for record in gone}
    decided_meanwhile = [r for r in story.records if story.lost_host_ns < r.decided_host_ns < ended]
    assert {record.verdict for record in decided_meanwhile} == {Verdict.REJECT}
    assert beats_between(story.board, began + SECOND_NS // 10, ended) == []
    assert story.still_there == story.confirmed == ("EJECTOR_LOST",)
    assert story.held is not None
    assert (story.held["state"], story.held["heartbeat_running"]) == ("ERROR", True)
    assert "confirmed by the test: EJECTOR_LOST" in story.said
    assert story.board.pulses(REJECT)


def test_fault_records_trouble(story: Story) -> None:
    """No room: nothing passes and the rejects still fire. Little room: records go on, images are given up. Room again:
    every part has its record, and images are kept. The log has sentences alone."""
    assert "Traceback" not in story.said, story.said
    began, ended = story.full
    assert ImageState.GIVEN_UP in {record.image_state for record in story.records}
    meanwhile = [r for r in story.records if began < r.decided_host_ns < ended]
    assert {record.verdict for record in meanwhile} == {Verdict.REJECT}
    assert {record.reason for record in meanwhile} <= {Reason.SYSTEM, Reason.MODEL, Reason.LATE}
    assert EjectorAction.FIRED in {record.ejector_action for record in meanwhile}
    last_with_image = max(record.part for record in story.records if record.image_state is ImageState.KEPT)
    assert last_with_image > max(r.part for r in story.records if r.image_state is ImageState.GIVEN_UP)
