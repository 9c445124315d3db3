"""What processes do to the line: killed, frozen, hung; the far end of the serial line and the records are the judge."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import psutil
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
from station_runs import wait_until
from tiny_bundle import write_tiny_bundle

from inspection.ejector.simulated import SimulatedBoard
from inspection.part import EjectorAction, Reason, Verdict
from inspection.records.record import StoredRecord

RATE_HZ = 20.0
BRIGHT, DARK = 230, 20
PULSE_MS, WINDOW_MS = 120, 20
FROZEN_S = 5.0
SECOND_NS = 1_000_000_000


@dataclass(slots=True)
class Story:
    """One `lineward run` to which everything below happened in turn, and what was left of it. Moments in host ns."""

    board: SimulatedBoard
    records: list[StoredRecord]
    run: str = ""
    hung: tuple[int, int] = (0, 0)
    died: tuple[int, int] = (0, 0)
    frozen: tuple[int, int] = (0, 0)
    killed_host_ns: int = 0
    shown_before_the_kill: int = 0
    scheduler: psutil.Process | None = None

    def due(self, span: tuple[int, int]) -> list[StoredRecord]:
        """The records of parts that were due at the ejector within a span."""
        return [record for record in self.records if span[0] <= record.due_host_ns <= span[1]]


def _belt(folder: Path) -> Path:
    """Thirty parts, every fifth one bright, which is defective."""
    files = []
    for number in range(30):
        kind = "bad" if number % 5 == 0 else "good"
        (folder / kind).mkdir(parents=True, exist_ok=True)
        file = folder / kind / f"{number:02d}.png"
        cv2.imwrite(str(file), np.full((48, 64), BRIGHT if kind == "bad" else DARK, np.uint8))
        files.append(str(file))
    (folder / "parts.txt").write_text("\n".join(files))
    return folder / "parts.txt"


def is_bad(part: int) -> bool:
    """What the belt knows about a part, whatever its record says."""
    return (part - 1) % 30 % 5 == 0


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Freeze and kill the ejector's process, freeze the station for 5 s, kill it, and start it once more."""
    folder = tmp_path_factory.mktemp("run")
    bundle = write_tiny_bundle(folder / "tiny")
    with relay_board() as board:
        camera = {
            "backend": "replay", "path": _belt(folder / "parts"), "truth_from_folder": True, "rate_hz": RATE_HZ,
            "loop": True,
        }  # fmt: skip
        values = station_values(
            folder, bundle, board, camera=camera, ejector={"pulse_ms": PULSE_MS, "window_ms": WINDOW_MS}
        )
        told = Story(board, [])
        with RealRun(folder, values) as station:
            told.run = station.wait_alarm("PARTS_TOO_CLOSE")["run"]
            _make_it_hiccup(station)
            told.hung = _make_it_hang(station)
            told.died = _let_it_die(station)
            told.frozen = _freeze_the_station(station)
            told.scheduler = station.scheduler()
            told.shown_before_the_kill = station.wait_more("passed", 8)["records"]
            station.send(signal.SIGKILL)
            station.process.wait(30)
            told.killed_host_ns = time.monotonic_ns()
        wait_until(lambda: told.scheduler is not None and not told.scheduler.is_running())
        with RealRun(folder, values, start=False) as again:
            again.wait_state("READY")
            again.end()
        told.records = [record for record in read_records(folder / "records") if record.run == told.run]
        yield told


def _make_it_hiccup(station: RealRun) -> None:
    """Freeze the ejector's process for moments that are long for a pulse and short for a hang, until one was late.

    Each is longer than from one defective part to the next plus the longest that a pulse may still help.
    """
    scheduler = station.scheduler()
    for turn in range(20):
        scheduler.suspend()
        threading.Event().wait(0.4 + turn * 0.037)  # so that it never keeps step with the parts
        scheduler.resume()
        if station.wait_more("records", 15)["wrong_pulses"]:
            break
    station.wait_alarm("WRONG_PULSE")
    station.wait_alarm("EJECTOR_PULSE_FAILED")


def _make_it_hang(station: RealRun) -> tuple[int, int]:
    """Freeze the ejector's process for good: it is replaced."""
    scheduler, began = station.scheduler(), time.monotonic_ns()
    scheduler.suspend()
    station.wait_counter("ejector_restarts", 1)
    station.wait_state("CONTINUOUS_EXECUTION")
    ended = time.monotonic_ns()
    assert not scheduler.is_running()
    station.wait_more("passed", 5)
    return began, ended


def _let_it_die(station: RealRun) -> tuple[int, int]:
    scheduler, began = station.scheduler(), time.monotonic_ns()
    scheduler.kill()
    station.wait_counter("ejector_restarts", 2)
    station.wait_state("CONTINUOUS_EXECUTION")
    ended = time.monotonic_ns()
    station.wait_more("passed", 5)
    return began, ended


def _freeze_the_station(station: RealRun) -> tuple[int, int]:
    began = time.monotonic_ns()
    station.send(signal.SIGSTOP)
    threading.Event().wait(FROZEN_S)
    ended = time.monotonic_ns()
    station.send(signal.SIGCONT)
    station.wait_more("passed", 20)
    station.wait_state("CONTINUOUS_EXECUTION")
    return began, ended


def test_fault_process_faults_cost_no_part_its_record_or_verdict(story: Story) -> None:
    """Through all of it: one record for each crossing that the belt knows of, and no pass without a verdict in time."""
    assert crossings_missed(story.records, RATE_HZ) == []
    assert unjudged_passes(story.records) == []
    assert [r.part for r in story.records if is_bad(r.part) and r.verdict is Verdict.PASS] == []


def test_fault_process_faults_fire_at_no_wrong_part(story: Story) -> None:
    """Each pulse at the far end is that of a rejected part; those out of their window are recorded as faults."""
    pulses = len(story.board.pulses(REJECT))
    written = sum(record.written_host_ns is not None for record in story.records)
    orphaned = pulses - written
    unfinished = [r for r in story.records if r.ejector_action is EjectorAction.UNCONFIRMED]
    assert 0 <= orphaned <= len(unfinished)
    assert promises_broken(len(story.records), story.records, story.board, orphaned) == []


def test_fault_parts_too_close(story: Story) -> None:
    """Parts 50 ms apart, pulses of 120 ms: an alarm (the story waits for it), and what a pulse takes along is told."""
    first = [record for record in story.records if record.part < 10]
    assert {record.verdict for record in first} == {Verdict.PASS, Verdict.REJECT}
    taken = [record for record in first if record.ejector_action is EjectorAction.TAKEN_ALONG]
    assert taken
    assert {(record.verdict, record.reason) for record in taken} == {(Verdict.REJECT, Reason.SYSTEM)}


def test_fault_pulse_outside_window(story: Story) -> None:
    """A pulse that was written too late, but may still hit, is recorded as a wrong one, with its lateness."""
    late = [record for record in story.records if record.ejector_action is EjectorAction.FIRED_LATE]
    assert late
    for record in late:
        assert record.lateness_us is not None
        assert record.lateness_us > WINDOW_MS * 1000


def test_fault_pulse_failed(story: Story) -> None:
    """A part that had passed the ejector before its pulse could be written gets none: no part behind it is hit."""
    failed = [record for record in story.records if record.ejector_action is EjectorAction.FAILED]
    assert failed
    assert {record.verdict for record in failed} == {Verdict.REJECT}
    assert {record.written_host_ns for record in failed} == {None}


def test_fault_ejector_process_died(story: Story) -> None:
    """Hung or killed: it is replaced, what was armed is FAILED, a hung one gives no heartbeat, and the line goes on."""
    for span in (story.hung, story.died):
        actions = {record.ejector_action for record in story.due(span)}
        assert EjectorAction.FAILED in actions
        after = story.due((span[1], span[1] + 2 * SECOND_NS))
        assert {EjectorAction.RELEASED, EjectorAction.FIRED} <= {record.ejector_action for record in after}
    began = story.hung[0]
    assert beats_between(story.board, began + SECOND_NS // 3, began + SECOND_NS) == []


def test_fault_station_frozen(story: Story) -> None:
    """Frozen for 5 s: the heartbeat stops, what was armed fires; parts that went by meanwhile are rejected without a
    pulse that would hit others, and afterwards the right parts are rejected again."""
    began, ended = story.frozen
    assert beats_between(story.board, began + SECOND_NS * 3 // 2, ended) == []
    assert beats_between(story.board, ended, ended + 5 * SECOND_NS)
    gone_by = [r for r in story.due((began, ended - SECOND_NS)) if r.trigger_host_ns > began + SECOND_NS // 10]
    assert len(gone_by) > 60
    assert {(r.verdict, r.ejector_action) for r in gone_by} == {(Verdict.REJECT, EjectorAction.FAILED)}
    armed = [r for r in story.due((began, ended)) if r.trigger_host_ns < began - SECOND_NS // 10]
    assert armed
    in_time = {EjectorAction.RELEASED, EjectorAction.TAKEN_ALONG, EjectorAction.FIRED, EjectorAction.FIRED_LATE}
    assert {r.ejector_action for r in armed} <= in_time
    after = story.due((ended + SECOND_NS, ended + 2 * SECOND_NS))
    assert {is_bad(r.part) for r in after if r.reason is Reason.MODEL} == {True}
    assert {is_bad(r.part) for r in after if r.ejector_action is EjectorAction.RELEASED} == {False}


def test_fault_station_killed(story: Story) -> None:
    """kill -9: armed rejects fire, the heartbeat stops, every channel ends off; after a restart each part has a record,
    those in flight a rejected one, and nothing that was shown is missing."""
    unfinished = [r for r in story.records if r.ejector_action is EjectorAction.UNCONFIRMED]
    assert {(r.verdict, r.reason) for r in unfinished} == {(Verdict.REJECT, Reason.SYSTEM)}
    assert len(story.records) >= story.shown_before_the_kill
    to_come = [r for r in unfinished if is_bad(r.part) and r.due_host_ns > story.killed_host_ns + SECOND_NS // 20]
    fired = [pulse for pulse in story.board.pulses(REJECT) if pulse.on_host_ns > story.killed_host_ns]
    assert len(fired) >= len(to_come)
    assert [edge for edge in story.board.edges(2) if edge.on and edge.host_ns > story.killed_host_ns + SECOND_NS] == []
    assert not story.board.level(1)
    assert not story.board.level(2)
