"""The contract suite finds what it is there for: each broken promise fails its check."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from camera_rows import level
from faulty_camera import Fault
from plugin_package import install_plugin
from typer.testing import CliRunner

from camera.contract import CameraUnderTest
from camera.contract.connected import run_checks
from camera.contract.expecting import LossError
from camera.frame import Frame
from inspection.cli.cameras import app

FOUND_BY: dict[str, set[str]] = {
    "none": set(),
    "opens_no_second_time": {"open_start_stop_and_close_are_idempotent"},
    "starts_with_counter_0": {"open_start_stop_and_close_are_idempotent", "frames_show_their_own_part_with_all_fields"},
    "hides_a_gap": {"a_software_trigger_is_refused_before_frames_pile_up"},
    "another_picture": {"a_software_trigger_makes_the_frame_with_its_number"},
    "clock_is_ahead": {"the_clock_that_was_read_dates_the_frames"},
    "swallows_the_frame": {"a_given_buffer_holds_the_pixels"},
    "copies_the_buffer": {"a_given_buffer_holds_the_pixels"},
    "blocks_at_stop": {"stop_ends_both_waits", "close_ends_both_waits"},
    "forgets_the_count": {"a_restart_goes_on_counting"},
    "leaves_a_thread": {"nothing_is_left_behind"},
    "leaves_a_file": {"nothing_is_left_behind"},
    "raises_when_idle": {"a_wait_that_runs_out_gives_nothing"},
    "frame_without_trigger": {"a_software_trigger_makes_the_frame_with_its_number"},
    "takes_every_trigger": {"a_software_trigger_is_refused_before_frames_pile_up"},
    "drops_at_cease": {"what_was_triggered_before_a_cease_still_comes"},
}


def faulty(fault: str) -> CameraUnderTest:
    return CameraUnderTest(
        "faulty",
        {"fault": fault},
        slow={"trigger": "never"},
        commanded={"fault": fault, "trigger": "software"},
        shape=(48, 64),
        pixel_format="Mono8",
        grey_of=level,
        patience_s=30.0 if fault == "none" else 1.0,
    )


def test_every_fault_has_its_row() -> None:
    """The table above is whole."""
    assert set(FOUND_BY) == set(get_args(Fault))


@pytest.mark.parametrize("fault", FOUND_BY)
def test_a_broken_promise_is_found(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks of that promise fail, and none fails for the camera without a fault."""
    install_plugin(tmp_path, monkeypatch, "faulty", faulty="faulty_camera:BACKEND")
    failing = {outcome.check for outcome in run_checks(faulty(fault)) if outcome.problem}
    assert failing >= FOUND_BY[fault]
    assert fault != "none" or not failing


@pytest.mark.parametrize("trigger", ["free", "software"])
def test_the_command_names_the_broken_promise(trigger: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`cameras check` ends with 1 and says what was seen; a camera that keeps all ends with 0."""
    install_plugin(tmp_path, monkeypatch, "faulty", faulty="faulty_camera:BACKEND")
    good = CliRunner().invoke(app, ["check", "faulty", "-o", f"trigger={trigger}", "--json"])
    assert (good.exit_code, json.loads(good.stdout)["ok"]) == (0, True)
    bad = CliRunner().invoke(app, ["check", "faulty", "-o", f"trigger={trigger}", "-o", "fault=clock_is_ahead"])
    assert bad.exit_code == 1
    assert "BROKEN  Before the start nobody can tell" in bad.stdout
    tried, not_tried = {"free": (9, 5), "software": (13, 1)}[trigger]
    assert f"{tried - 1} of {tried} promises hold; {not_tried} could not be tried" in bad.stdout
    assert bad.stdout.count("not tried  ") == not_tried
    assert ("holds  No frame comes without one" in bad.stdout) == (trigger == "software")


def test_pictures_lost_on_their_way_are_no_broken_promise() -> None:
    """The driver tells of each: no promise is broken, those that need whole runs are not tried, and all is said."""
    words = ["check", "simulated", "-o", "lost_frame_rate=0.5", "-o", "pitch_mm=20", "-o", "speed_mm_s=1000"]
    found = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert [one for one in found["checks"] if one["problem"]] == []
    whole = next(one for one in found["checks"] if one["check"] == "frames_show_their_own_part_with_all_fields")
    assert len(whole["lost"]) == 3
    assert "lost on their way" in whole["not_tried"]
    assert not whole["holds"]
    assert not found["ok"]
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 1
    assert "BROKEN" not in said.stdout
    assert "the driver told of each" in said.stdout


def test_a_gap_that_is_told_of_wrongly_is_a_broken_promise() -> None:
    """Only a loss whose size the counter bears out is the link's."""
    row = replace(faulty("none"), link_may_lose=True)
    frame = Frame("top", 5, None, 1, 2, "Mono8", np.zeros((4, 4), np.uint8))
    with pytest.raises(LossError, match="before frame 5: 2"):
        row.next_after(2, frame)
    assert row.next_after(1, frame) is frame
    assert replace(row, link_may_lose=False).next_after(2, frame) is frame


def test_a_belt_that_waits_for_software_keeps_its_contract() -> None:
    """As a connected camera that is triggered by the command itself: its clock, too, dates its frames."""
    done = CliRunner().invoke(app, ["check", "simulated", "-o", "trigger=software", "--json"])
    found = json.loads(done.stdout)
    assert [one for one in found["checks"] if one["problem"]] == []
    assert (done.exit_code, found["takes_software_trigger"]) == (0, True)
