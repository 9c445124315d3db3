"""What a station does by default when parts may have gone by unrejected: it stops the belt, however brief the fault."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
from real_run import RealRun, beats_between, promises_broken, read_records, relay_board, station_values
from tiny_bundle import write_tiny_bundle

from inspection.part import EjectorAction, Verdict

RATE_HZ = 20.0
RUN_OUT_S = 3.0  # much longer than it takes this test to hear of the alarm
SECOND_NS = 1_000_000_000


def _belt(folder: Path) -> Path:
    """Ten parts, every third one bright, which is defective."""
    folder.mkdir()
    files = []
    for number in range(10):
        files.append(str(folder / f"{number:02d}.png"))
        cv2.imwrite(files[-1], np.full((48, 64), 230 if number % 3 == 0 else 20, np.uint8))
    (folder / "parts.txt").write_text("\n".join(files))
    return folder / "parts.txt"


def test_a_cable_that_is_back_at_once_has_stopped_the_line(tmp_path: Path) -> None:
    """Nothing is chosen: the cable is pulled, and in again as soon as somebody knows. A watchdog may not even have
    noticed, but parts went by: the heartbeat stays away, nothing passes, and the line waits for Start."""
    with relay_board() as board:
        camera = {"backend": "replay", "path": _belt(tmp_path / "parts"), "rate_hz": RATE_HZ, "loop": True}
        values = station_values(tmp_path, write_tiny_bundle(tmp_path / "tiny"), board, camera=camera)
        values["reactions"] = {"run_out_s": RUN_OUT_S, "pulse_outside_window": "warn"}  # the machine may be busy before
        with RealRun(tmp_path, values) as station:
            station.wait_more("passed", 5)
            board.unplug()
            seen = station.wait_alarm("EJECTOR_LOST")
            lost_host_ns = time.monotonic_ns()
            board.replug()
            stopped = station.wait(lambda status: "LINE_STOPPED" in status["alarms"] and status["state"] != "ERROR")
            stopped_host_ns = time.monotonic_ns()
            assert seen["state"] == "ERROR"
            assert (stopped["state"], stopped["heartbeat_running"]) == ("READY", False)
            client = station.client()
            client.start_line()
            client.close()
            again = station.wait_state("CONTINUOUS_EXECUTION")
            assert "LINE_STOPPED" not in again["alarms"]
            station.wait_more("passed", 5)
            assert station.end() == 0
        records = read_records(tmp_path / "records")
        assert promises_broken(len(records), records, board) == []
        assert EjectorAction.FAILED in {record.ejector_action for record in records}
        meanwhile = [r for r in records if lost_host_ns < r.trigger_host_ns < stopped_host_ns]
        assert {record.verdict for record in meanwhile} == {Verdict.REJECT}
        assert beats_between(board, lost_host_ns + SECOND_NS * 7 // 10, stopped_host_ns) == []
